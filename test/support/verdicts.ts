/**
 * Verdict files: what a network person expects of an intent, one packet a line, written by hand and never generated.
 *
 *     <host>  <from> -> <to>  <payload>  <verdict>  <row>  <tally>  # why
 *     gw  alice@tun0 -> bob@tun0  ping  accept  overlays/office#group/dev  c_same_subnet  # both in dev
 *
 * An end is an address, a host or a member, `cn` or `overlay/cn`, with `[i]` for its i-th address (default 0). `@interface` on
 * both ends is a forwarded packet, on the source only an incoming one, on the destination only an outgoing one.
 * Payload: `ping`, `icmp/<type>`, `tcp/<port>`, `udp/<port>`, `udp/<from>><to>` or `other`; then `+<state>` unless new;
 * then `@<time>`, such as `@2026-12-31T23:59:59Z`, where the time decides.
 * Row and tally are `-` where no rule is asked. A comment starts with `#` and a space.
 */
import * as z from "zod";
import { requireNetwork } from "#schema/address.ts";
import type { Snapshot } from "#schema/intent.ts";
import { splitMemberKey } from "#schema/intent.ts";
import { Address } from "#schema/primitives.ts";
import type { Tally } from "#schema/ruleset.ts";
import { RowId, tallies, Verdict } from "#schema/ruleset.ts";
import { parseUnixSeconds } from "#schema/time.ts";
import type { Hook, Packet, PacketState, Payload } from "#core/simulate/index.ts";

export interface VerdictLine {
  /** The line as written, without its comment. */
  readonly text: string;
  readonly number: number;
  readonly host: string;
  readonly packet: Packet;
  readonly verdict: Verdict;
  readonly row: string | null;
  readonly tally: Tally | null;
}

/** @throws Error with the line's number when it is not in the grammar or names nobody */
export function parseVerdicts(text: string, intent: Snapshot): readonly VerdictLine[] {
  return text.split("\n").flatMap((raw, i) => {
    const line = raw.replace(/(^|\s)#(\s.*)?$/, "").trim();
    return line === "" ? [] : [parseLine(line, i + 1, intent)];
  });
}

const dash = <T extends z.ZodType>(schema: T) =>
  z.union([z.literal("-").transform(() => null), schema]);
const Columns = z.tuple([
  z.string(),
  z.string(),
  z.literal("->"),
  z.string(),
  z.string(),
  Verdict,
  dash(RowId),
  dash(z.enum(tallies)),
]);

function parseLine(text: string, number: number, intent: Snapshot): VerdictLine {
  const where = `verdict line ${number}`;
  const columns = Columns.safeParse(text.split(/\s+/));
  if (!columns.success) throw new Error(`${where}: ${z.prettifyError(columns.error)}`);
  const [host, from, , to, what, verdict, row, tally] = columns.data;
  if (!intent.hosts.has(host)) throw new Error(`${where}: no host ${host}`);
  const [source, destination] = [parseEnd(from, intent, where), parseEnd(to, intent, where)];
  const packet: Packet = {
    ...hookOf(source.interfaceName, destination.interfaceName, where),
    ...parsePayload(what, requireNetwork(source.address).family === "v6", where),
    source: source.address,
    destination: destination.address,
  };
  return { text, number, host, packet, verdict, row, tally };
}

function hookOf(iif: string | undefined, oif: string | undefined, where: string): Hook {
  if (iif !== undefined && oif !== undefined) return { hook: "forward", iif, oif };
  if (iif !== undefined) return { hook: "input", iif };
  if (oif !== undefined) return { hook: "output", oif };
  throw new Error(`${where}: expected @interface on one end at least`);
}

interface End {
  readonly address: string;
  readonly interfaceName: string | undefined;
}

function parseEnd(text: string, intent: Snapshot, where: string): End {
  const at = text.lastIndexOf("@");
  const name = at < 0 ? text : text.slice(0, at);
  const interfaceName = at < 0 ? undefined : text.slice(at + 1);
  if (Address.safeParse(name).success) return { address: name, interfaceName };
  const [, key = "", index = "0"] = /^(.*?)(?:\[(\d+)\])?$/.exec(name) ?? [];
  const found = [
    ...[...intent.members].filter(([row]) => row === key || splitMemberKey(row).cn === key),
    ...[...intent.hosts].filter(([row]) => row === key),
  ];
  const [named, ...others] = found;
  const address = named?.[1].addresses[Number(index)];
  if (address === undefined)
    throw new Error(`${where}: ${name} is no address, nor a member's or a host's`);
  if (others.length > 0)
    throw new Error(`${where}: ${name} fits ${found.map(([row]) => row).join(", ")}`);
  return { address, interfaceName };
}

const State = z.enum([
  "new",
  "established",
  "related",
  "invalid",
  "untracked",
] satisfies PacketState[]);

type Sent = Payload & Pick<Packet, "state" | "at">;

function parsePayload(text: string, v6: boolean, where: string): Sent {
  const [said = "", time, ...more] = text.split("@");
  const at = time === undefined ? undefined : parseUnixSeconds(time);
  if ((time !== undefined && at === undefined) || more.length > 0)
    throw new Error(`${where}: ${text} has no UTC time after @`);
  return { ...parseStated(said, v6, where), ...(at === undefined ? {} : { at }) };
}

function parseStated(
  text: string,
  v6: boolean,
  where: string,
): Payload & { readonly state: PacketState } {
  const [what = "", state = "new", ...rest] = text.split("+");
  const known = State.safeParse(state);
  if (!known.success || rest.length > 0) throw new Error(`${where}: ${state} is no state`);
  return { ...parseProtocol(what, v6, where), state: known.data };
}

function parseProtocol(what: string, v6: boolean, where: string): Payload {
  if (what === "ping") return { protocol: "icmp", icmpType: v6 ? 128 : 8 };
  if (what === "other") return { protocol: "other" };
  const icmp = /^icmp\/(\d{1,3})$/.exec(what)?.[1];
  if (icmp !== undefined) return { protocol: "icmp", icmpType: Number(icmp) };
  const [, protocol, sourcePort, port] = /^(tcp|udp)\/(?:(\d{1,5})>)?(\d{1,5})$/.exec(what) ?? [];
  if (protocol === undefined || port === undefined)
    throw new Error(`${where}: ${what} is no payload`);
  return {
    protocol: protocol === "tcp" ? "tcp" : "udp",
    port: Number(port),
    ...(sourcePort === undefined ? {} : { sourcePort: Number(sourcePort) }),
  };
}
