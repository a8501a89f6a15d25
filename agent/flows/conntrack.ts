/**
 * Cuts the flows that a narrower ruleset no longer allows, and only those: their entries go from the kernel's table, so
 * that their next packet is judged again, and their TCP sockets on this host are ended, because a host that goes on
 * sending would begin the flow anew from its own side (nf_conntrack_tcp_loose).
 *
 * Best effort by design: the rules are in force already, and a machine without conntrack(8) loses the cut, not them. Asks
 * nothing where nothing was taken. What is listed is read line by line and judged as it comes, because a busy host has
 * hundreds of thousands of flows: memory is that of those to be cut.
 */
import * as z from "zod";
import { isErrno } from "#agent/disk/files.ts";
import {
  type CutFlow,
  endsOf,
  type Flow,
  makeFlowCheck,
  parseConnection,
  parseFlow,
  parseListener,
  type Paths,
  type Rules,
} from "./flows.ts";
import type { Exec, Stream } from "#agent/process/spawn.ts";
import { mayTake } from "./takes.ts";

/** How this host is asked. */
export interface Asking {
  readonly exec: Exec;
  readonly stream: Stream;
}

/** Why nothing, or not everything, was found or cut. */
interface NotAnswered {
  readonly ok: false;
  readonly why: string;
}
export type CutFlows = { readonly ok: true; readonly cut: number } | NotAnswered;
export type FoundFlows = { readonly ok: true; readonly flows: readonly CutFlow[] } | NotAnswered;

/** Sockets named in one call of ss: its filter is an argument. */
const socketsPerCall = 50;
/** Flows that one listing may find; it is listed again after they are cut. */
const flowsPerRound = 10_000;
const roundsMax = 20;
/** For deleting: each call goes through the kernel's whole table. */
const cutMsMax = 60_000;

const Links = z.array(
  z.object({
    ifname: z.string(),
    addr_info: z.array(z.object({ local: z.string().optional() })).optional(),
  }),
);

/**
 * @param before the rules until now; undefined when they are not known. See `flowJudge`
 * @param at Unix seconds
 */
export const cutFlows = (
  asking: Asking,
  now: Rules,
  before: Rules | undefined,
  at: number,
): Promise<CutFlows> =>
  answerOr(async () => {
    const until = performance.now() + cutMsMax;
    let cut = 0;
    // A call may delete what the listing had no room for.
    for (let round = 0; round < roundsMax; round += 1) {
      const found = await survey(asking, now, before, at);
      if (found.flows.length > 0) await endSockets(asking.exec, found.flows);
      cut += Math.max(found.flows.length, await forget(asking.exec, found, until));
      if (!found.more || found.flows.length === 0) return { ok: true, cut };
    }
    return { ok: false, why: `more than ${cut} flows; those beyond go on until they are silent` };
  });

/** The flows that `cutFlows` would cut, and why; the first ones where they are very many. Changes nothing. */
export const findFlows = (
  asking: Asking,
  now: Rules,
  before: Rules | undefined,
  at: number,
): Promise<FoundFlows> =>
  answerOr(async () => ({ ok: true, flows: (await survey(asking, now, before, at)).flows }));

interface Survey {
  readonly flows: readonly CutFlow[];
  /** Ports of this host to which some flow goes on, as `toPort` spells them. */
  readonly kept: ReadonlySet<string>;
  /** There are more flows than one listing may find. */
  readonly more: boolean;
}
const nothing: Survey = { flows: [], kept: new Set(), more: false };

async function survey(
  { exec, stream }: Asking,
  now: Rules,
  before: Rules | undefined,
  at: number,
): Promise<Survey> {
  if (before !== undefined && !mayTake(now, before, at)) return nothing;
  const own = await readOwnAddresses(exec);
  const listening = new Set<number>();
  await read(stream, ["ss", "-H", "-n", "-t", "-l"], (line) => {
    const port = parseListener(line);
    if (port !== undefined) listening.add(port);
  });
  const check = makeFlowCheck(now, before, at);
  const blind: Paths = { own, listening, by: () => "" };
  const suspects = new Map<string, Flow>();
  const kept = new Set<string>();
  let more = false;
  const readTrackedFlows = (flow: Flow, key: string): void => {
    if (check(flow, blind) === undefined) {
      if (own.has(flow.original.destination)) kept.add(toPort(flow));
    } else if (suspects.size < flowsPerRound) suspects.set(key, flow);
    else more = true;
  };
  // Connections that were there before the kernel tracked any, and were silent since: what it tracks, it tells better.
  await read(stream, ["ss", "-H", "-n", "-t", "-a"], (line) => {
    const flow = parseConnection(line, listening);
    if (flow !== undefined) readTrackedFlows(flow, endsOf(flow));
  });
  for (const family of ["ipv4", "ipv6"])
    await read(stream, ["conntrack", "-L", "-o", "extended", "-f", family], (line) => {
      const flow = parseFlow(line);
      if (flow === undefined) return;
      const key = endsOf(flow);
      suspects.delete(key);
      readTrackedFlows(flow, key);
    });
  const routes = await readRoutes(exec, [...suspects.values()]);
  const paths = { ...blind, by: (address: string) => routes.get(address) ?? "" };
  const flows = [...suspects.values()].flatMap((flow) => {
    const cut = check(flow, paths);
    if (cut === undefined) kept.add(toPort(flow));
    return cut ?? [];
  });
  return { flows, kept, more };
}

/** A port of this host, with its protocol and address. */
const toPort = ({ family, protocol, original }: Flow): string =>
  `${family} ${protocol} ${original.destination} ${original.destinationPort}`;

/** What programs that are missing, fail or say nonsense leave unanswered, as a value. */
async function answerOr<T>(work: () => Promise<T>): Promise<T | NotAnswered> {
  try {
    return await work();
  } catch (error) {
    if (isErrno(error)) return { ok: false, why: `${error.path ?? "program"}: ${error.code}` };
    if (error instanceof Unanswered) return { ok: false, why: error.message };
    throw error;
  }
}

class Unanswered extends Error {}

function demand(argv: readonly string[], status: number | null, stderr: string): void {
  if (status !== 0)
    throw new Unanswered(
      `${argv[0]} ended with ${status}: ${stderr.split("\n")[0] ?? ""}`.slice(0, 200),
    );
}

async function read(
  stream: Stream,
  argv: readonly string[],
  onLine: (line: string) => void,
): Promise<void> {
  const { status, stderr } = await stream(argv, onLine);
  demand(argv, status, stderr);
}

async function ask(exec: Exec, argv: readonly string[], input = ""): Promise<string> {
  const { status, stdout, stderr } = await askConntrack(exec, argv, input);
  demand(argv, status, stderr);
  return stdout;
}

/** What says too much counts as unanswered. */
async function askConntrack(exec: Exec, argv: readonly string[], input = ""): ReturnType<Exec> {
  try {
    return await exec(argv, input);
  } catch (error) {
    if (isErrno(error) || !(error instanceof Error) || error.name !== "Error") throw error;
    throw new Unanswered(error.message.slice(0, 200));
  }
}

async function readOwnAddresses(exec: Exec): Promise<ReadonlyMap<string, string>> {
  const said = await ask(exec, ["ip", "-j", "address", "show"]);
  return new Map(
    parseLinks(said).flatMap(({ ifname, addr_info: addresses = [] }) =>
      addresses.flatMap(({ local }) => (local === undefined ? [] : [[local, ifname] as const])),
    ),
  );
}

function parseLinks(text: string): z.infer<typeof Links> {
  try {
    return Links.parse(JSON.parse(text));
  } catch {
    throw new Unanswered("ip: expected addresses as JSON");
  }
}

/** Where each flow's ends are, by the routing table. An address without a route is left out. */
async function readRoutes(
  exec: Exec,
  flows: readonly Flow[],
): Promise<ReadonlyMap<string, string>> {
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

/**
 * Deletes the entries of these flows, in few calls. @returns how many were deleted. A flow that ended by itself since is as gone as one that was deleted:
 * conntrack ends with 1 for it.
 */
async function forget(exec: Exec, { flows, kept }: Survey, until: number): Promise<number> {
  const calls = new Set(
    flows.map((cut) => JSON.stringify(["conntrack", "-D", ...makeMatch(cut, kept)])),
  );
  let [done, deleted] = [0, 0];
  for (const call of calls) {
    if (performance.now() > until)
      throw new Unanswered(
        `${calls.size - done} of ${calls.size} groups of flows were not deleted in time`,
      );
    const { status, stderr } = await askConntrack(
      exec,
      z.array(z.string()).parse(JSON.parse(call)),
    );
    if (status !== 0 && !stderr.includes("0 flow entries"))
      throw new Unanswered(`conntrack: ${stderr.split("\n")[0] ?? ""}`.slice(0, 200));
    done += 1;
    deleted += Number(/(\d+) flow entries have been deleted/.exec(stderr)?.[1] ?? 0);
  }
  return deleted;
}

/**
 * What an entry is found by: where no flow goes on to a port of this host, by that port; else by all of one source to one
 * port, as a verdict does not depend on where from there a flow comes. A flow that conntrack met in the middle stands
 * there as begun by this host, from that port.
 */
function makeMatch(
  { direction, flow, port }: CutFlow,
  kept: ReadonlySet<string>,
): readonly string[] {
  const { family, protocol, original } = flow;
  const to = [
    "-f",
    family,
    "-p",
    protocol,
    "-d",
    original.destination,
    "--dport",
    `${original.destinationPort}`,
  ];
  if (direction === "out") return [...to, "-s", original.source];
  if (port !== original.destinationPort)
    return [...to, "-s", original.source, "--sport", `${original.sourcePort}`];
  return kept.has(toPort(flow)) ? [...to, "-s", original.source] : to;
}

/** Ends both spellings of a socket: whichever end of the flow is local is the one that ss finds. */
async function endSockets(exec: Exec, flows: readonly CutFlow[]): Promise<void> {
  const tcp = flows.map(({ flow }) => flow).filter(({ protocol }) => protocol === "tcp");
  const filters = tcp.flatMap(makeSocketFilters);
  for (let at = 0; at < filters.length; at += socketsPerCall) {
    const some = filters.slice(at, at + socketsPerCall).flatMap((filter) => ["or", ...filter]);
    await ask(exec, ["ss", "-K", "-H", "-n", "-t", ...some.slice(1)]);
  }
}

function makeSocketFilters({ original, reply }: Flow): readonly (readonly string[])[] {
  const one = end(reply.source, reply.sourcePort);
  const other = end(original.source, original.sourcePort);
  return [
    ["(", "src", one, "and", "dst", other, ")"],
    ["(", "src", other, "and", "dst", one, ")"],
  ];
}

const end = (address: string, port: number): string => `[${address}]:${port}`;
