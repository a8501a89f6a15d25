/**
 * Hostile rulesets through all that an agent does with one — decode, guard, render, load — and then packets: each entry
 * of the management plane in and its answer out, and strangers at ports that the guard never opens to everybody. Law 3,
 * and the guard's word, held by a kernel.
 */
import { performance } from "node:perf_hooks";
import { ApplyError } from "#agent/backend/nft/apply-error.ts";
import { type Nft, openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import { inNamespace } from "#lab/net/netns.ts";
import { decodeBundle, encodeBundle, sizeLimits } from "#schema/bundle.ts";
import { Guard } from "#schema/guard.ts";
import { render } from "#core/render/index.ts";
import { guardRefusals } from "#core/simulate/admission.ts";
import type { Packet } from "#core/simulate/index.ts";
import { type Ground, openGround } from "#test/support/ground.ts";
import { knocksOf, managementPackets, openedBy, own, strangersOf } from "./packets.ts";
import { type Hostile, hostileRulesets } from "./rulesets.ts";

const management = {
  interfaces: ["mgmt0"],
  allow: [
    { cidr: "10.9.0.0/16", proto: "tcp" as const, port: 22, last_port: 23 },
    { cidr: "fd00:9::/48", proto: "tcp" as const, port: 22 },
    { cidr: "10.9.0.0/16", proto: "udp" as const, port: 53 },
    { cidr: "fd00:9::/48", proto: "udp" as const, port: 53 },
  ],
};
/** As a host has it, and one that narrows what it begins. */
const guards: readonly Guard[] = [
  Guard.parse({ management }),
  Guard.parse({
    management,
    output: { allow: [{ cidr: "203.0.113.7/32", proto: "tcp", port: 443 }] },
  }),
];

/** One packet that went wrong, with all that it takes to see it again. */
export interface Finding {
  readonly index: number;
  readonly attempt: string;
  readonly packet: Packet;
}

export interface Result {
  readonly rulesets: number;
  /** By reason. */
  readonly refused: ReadonlyMap<string, number>;
  readonly loaded: number;
  readonly packets: number;
  readonly lockOuts: readonly Finding[];
  readonly opened: readonly Finding[];
  /** Decode, check, render and load of one bundle, and the longest that nothing else could run meanwhile. */
  readonly slowest: { readonly ms: number; readonly blockMs: number; readonly attempt: string };
}

export interface Options {
  readonly seed: number;
  readonly rulesets: number;
  readonly progress: (soFar: Result) => void;
}

export async function runHostile({ seed, rulesets, progress }: Options): Promise<Result> {
  const strangers = strangersOf(seed);
  const field = await openGround({
    interfaces: ["eth0", "mgmt0", "tun0"],
    own: Object.values(own),
  });
  try {
    const nft = openNft(spawnExec({ prefix: inNamespace(field.gateway) }));
    let result: Result = {
      rulesets: 0,
      refused: new Map(),
      loaded: 0,
      packets: 0,
      lockOuts: [],
      opened: [],
      slowest: { ms: 0, blockMs: 0, attempt: "" },
    };
    for (const hostile of hostileRulesets(seed)) {
      const guard = guards[result.rulesets % guards.length];
      if (guard === undefined) break;
      result = add(result, hostile, await tryOne(field, nft, hostile, guard, strangers));
      progress(result);
      if (result.rulesets >= rulesets) break;
    }
    return result;
  } finally {
    await field.destroy();
  }
}

interface Tried {
  /** Why it was not loaded; undefined: it was. */
  readonly refused: string | undefined;
  readonly ms: number;
  readonly blockMs: number;
  readonly packets: number;
  readonly lockedOut: readonly Packet[];
  readonly opened: readonly Packet[];
}

function add(sum: Result, { attempt }: Hostile, tried: Tried): Result {
  const { refused, ms, blockMs, packets, lockedOut, opened } = tried;
  const found = (wrong: readonly Packet[]): readonly Finding[] =>
    wrong.map((packet) => ({ index: sum.rulesets, attempt, packet }));
  return {
    rulesets: sum.rulesets + 1,
    refused:
      refused === undefined
        ? sum.refused
        : new Map(sum.refused).set(refused, (sum.refused.get(refused) ?? 0) + 1),
    loaded: sum.loaded + (refused === undefined ? 1 : 0),
    packets: sum.packets + packets,
    lockOuts: [...sum.lockOuts, ...found(lockedOut)],
    opened: [...sum.opened, ...found(opened)],
    slowest: {
      ...(ms > sum.slowest.ms ? { ms, attempt } : sum.slowest),
      blockMs: Math.max(blockMs, sum.slowest.blockMs),
    },
  };
}

async function tryOne(
  field: Ground,
  nft: Nft,
  { ruleset }: Hostile,
  guard: Guard,
  strangers: readonly string[],
): Promise<Tried> {
  const bytes = encodeBundle(ruleset);
  const nothing = { packets: 0, lockedOut: [], opened: [] };
  if (bytes.length > sizeLimits.bundle)
    return { refused: "bundle_too_large", ms: 0, blockMs: 0, ...nothing };
  const began = performance.now();
  const program = programOf(bytes, guard);
  const blockMs = performance.now() - began;
  const taken = (): Pick<Tried, "ms" | "blockMs"> => ({ ms: performance.now() - began, blockMs });
  if (typeof program === "string") return { refused: program, ...taken(), ...nothing };
  try {
    await nft.apply(program);
  } catch (error) {
    if (!(error instanceof ApplyError)) throw error;
    return { refused: error.code, ...taken(), ...nothing };
  }
  const times = taken();
  return { refused: undefined, ...times, ...(await judge(field, guard, strangers)) };
}

/** What an agent would load, or why it would not. */
function programOf(bytes: Uint8Array, guard: Guard) {
  const decoded = decodeBundle(bytes);
  if (!decoded.ok) return decoded.code;
  const [refusal] = guardRefusals(decoded.ruleset, guard);
  if (refusal !== undefined) return refusal.line;
  const rendered = render(decoded.ruleset, guard);
  return rendered.ok ? rendered.program : rendered.code;
}

async function judge(
  field: Ground,
  guard: Guard,
  strangers: readonly string[],
): Promise<Pick<Tried, "packets" | "lockedOut" | "opened">> {
  const managed = managementPackets(guard);
  const knocks = knocksOf(strangers);
  const { passed } = await field.send(
    [...managed, ...knocks].map((packet) => ({ packet, form: "plain" as const })),
  );
  return {
    packets: passed.length,
    lockedOut: managed.filter((_, i) => passed[i] !== true),
    opened: openedBy(knocks.filter((_, i) => passed[managed.length + i] === true)),
  };
}
