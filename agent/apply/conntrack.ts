/**
 * Cuts the flows that a narrower ruleset no longer allows, and only those: their entries go from the kernel's table, so
 * that their next packet is judged again, and their TCP sockets on this host are ended, because a host that goes on
 * sending would begin the flow anew from its own side (nf_conntrack_tcp_loose).
 *
 * Best effort by design: the rules are in force already, and a machine without conntrack(8) loses the cut, not them.
 */
import * as z from "zod";
import { isErrno } from "../persist.ts";
import {
  type CutFlow,
  type Flow,
  noLongerAllowed,
  parseFlows,
  parseSockets,
  type Rules,
  unknownTo,
} from "./flows.ts";
import type { Exec } from "./spawn.ts";

/** Why nothing, or not everything, was found or cut. */
interface NotAnswered {
  readonly ok: false;
  readonly why: string;
}
export type CutFlows = { readonly ok: true; readonly cut: number } | NotAnswered;
export type FoundFlows = { readonly ok: true; readonly flows: readonly CutFlow[] } | NotAnswered;

/** Sockets named in one call of ss: its filter is an argument. */
const socketsPerCall = 50;

const Links = z.array(
  z.object({
    ifname: z.string(),
    addr_info: z.array(z.object({ local: z.string().optional() })).optional(),
  }),
);

/**
 * @param before the rules until now; undefined when they are not known. See `noLongerAllowed`
 * @param at Unix seconds
 */
export async function cutFlows(
  exec: Exec,
  now: Rules,
  before: Rules | undefined,
  at: number,
): Promise<CutFlows> {
  const found = await findFlows(exec, now, before, at);
  if (!found.ok) return found;
  const doomed = found.flows.map(({ flow }) => flow);
  return answered(async () => {
    if (doomed.length > 0) await endSockets(exec, doomed);
    for (const flow of doomed) await forget(exec, flow);
    return { ok: true, cut: doomed.length };
  });
}

/** The flows that `cutFlows` would cut, and why. Changes nothing. */
export const findFlows = (
  exec: Exec,
  now: Rules,
  before: Rules | undefined,
  at: number,
): Promise<FoundFlows> =>
  answered(async () => {
    // Nothing is asked where no rule is about the host: overlays are stateless.
    if (!now.ruleset.scopes.some(({ kind }) => kind === "host")) return { ok: true, flows: [] };
    const listings = await Promise.all(
      ["ipv4", "ipv6"].map((family) => ask(exec, ["conntrack", "-L", "-o", "extended", "-f", family])),
    );
    const own = await ownAddresses(exec);
    const tracked = listings.flatMap(parseFlows);
    const { connections, listening } = parseSockets(await ask(exec, ["ss", "-H", "-n", "-t", "-a"]));
    // Connections that were there before the kernel tracked any, and were silent since.
    const flows = [...tracked, ...unknownTo(tracked, connections)];
    const ends = { own, listening };
    const suspects = noLongerAllowed(flows, { ...ends, by: () => "" }, now, before, at).map(
      ({ flow }) => flow,
    );
    const routes = await routesTo(exec, suspects);
    const paths = { ...ends, by: (address: string) => routes.get(address) ?? "" };
    return { ok: true, flows: noLongerAllowed(suspects, paths, now, before, at) };
  });

/** What programs that are missing or fail leave unanswered, as a value. */
async function answered<T>(work: () => Promise<T>): Promise<T | NotAnswered> {
  try {
    return await work();
  } catch (error) {
    if (isErrno(error)) return { ok: false, why: `${error.path ?? "program"}: ${error.code}` };
    if (error instanceof Unanswered) return { ok: false, why: error.message };
    throw error;
  }
}

class Unanswered extends Error {}

async function ask(exec: Exec, argv: readonly string[], input = ""): Promise<string> {
  const { status, stdout, stderr } = await exec(argv, input);
  if (status === 0) return stdout;
  throw new Unanswered(`${argv[0]} ended with ${status}: ${stderr.split("\n")[0] ?? ""}`.slice(0, 200));
}

async function ownAddresses(exec: Exec): Promise<ReadonlyMap<string, string>> {
  const links = Links.parse(JSON.parse(await ask(exec, ["ip", "-j", "address", "show"])));
  return new Map(
    links.flatMap(({ ifname, addr_info: addresses = [] }) =>
      addresses.flatMap(({ local }) => (local === undefined ? [] : [[local, ifname] as const])),
    ),
  );
}

/** Where each flow's ends are, by the routing table. An address without a route is left out. */
async function routesTo(exec: Exec, flows: readonly Flow[]): Promise<ReadonlyMap<string, string>> {
  if (flows.length === 0) return new Map();
  const ends = new Set(flows.flatMap(({ original, reply }) => [original.source, reply.source]));
  const questions = [...ends].map((address) => `route get ${address}\n`).join("");
  // ip ends with 1 when one address has no route.
  const { stdout } = await exec(["ip", "-force", "-batch", "-"], questions);
  return new Map(
    stdout.split("\n").flatMap((line) => {
      const [, address, device] = /^(?:local )?(\S+) .*?\bdev (\S+)/.exec(line) ?? [];
      return address === undefined || device === undefined ? [] : [[address, device] as const];
    }),
  );
}

/** A flow that ended by itself since is as gone as one that was deleted: conntrack ends with 1 for it. */
async function forget(exec: Exec, { family, protocol, original }: Flow): Promise<void> {
  const ends = ["-s", original.source, "-d", original.destination];
  const ports = ["--sport", `${original.sourcePort}`, "--dport", `${original.destinationPort}`];
  const { status, stderr } = await exec(
    ["conntrack", "-D", "-f", family, "-p", protocol, ...ends, ...ports],
    "",
  );
  if (status !== 0 && !stderr.includes("0 flow entries"))
    throw new Unanswered(`conntrack: ${stderr.split("\n")[0] ?? ""}`.slice(0, 200));
}

/** Ends both spellings of a socket: whichever end of the flow is local is the one that ss finds. */
async function endSockets(exec: Exec, flows: readonly Flow[]): Promise<void> {
  const filters = flows.filter(({ protocol }) => protocol === "tcp").flatMap(socketFilters);
  for (let at = 0; at < filters.length; at += socketsPerCall) {
    const some = filters.slice(at, at + socketsPerCall).flatMap((filter) => ["or", ...filter]);
    await ask(exec, ["ss", "-K", "-H", "-n", "-t", ...some.slice(1)]);
  }
}

function socketFilters({ original, reply }: Flow): readonly (readonly string[])[] {
  const one = end(reply.source, reply.sourcePort);
  const other = end(original.source, original.sourcePort);
  return [
    ["(", "src", one, "and", "dst", other, ")"],
    ["(", "src", other, "and", "dst", one, ")"],
  ];
}

const end = (address: string, port: number): string => `[${address}]:${port}`;
