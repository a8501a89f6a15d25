/**
 * The compiler on a large fleet: that it fits an isolate, and that a host costs no more in a larger fleet. The memory
 * bound is a Workers isolate's 128 MB, kept by the engine itself: past it the child dies and there is no row.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { compileHosts, prepare } from "#core/compile/index.ts";
import { encodeBundle } from "#schema/bundle.ts";
import { largeFleet } from "./large-fleet.ts";
import type { Row } from "./poll.ts";

const isolateMegabytes = 128;
const rounds = 15;

/** Ratios are to be at most their goal. */
export const bench = (): Promise<readonly Row[]> =>
  Promise.resolve([inOneIsolate(), perAffectedHost()]);

/** In a child: 1,000 hosts × 300 services × 10,000 members compiled and encoded, one host at a time. */
function inOneIsolate(): Row {
  const file = fileURLToPath(import.meta.url);
  const child = spawnSync(
    process.execPath,
    [`--max-old-space-size=${isolateMegabytes}`, file, "child"],
    {
      encoding: "utf8",
      timeout: 300_000,
    },
  );
  if (child.status !== 0)
    throw new Error(`the fleet did not compile within the isolate: ${child.stderr}`);
  const { heap } = z.object({ heap: z.number() }).parse(JSON.parse(child.stdout));
  return {
    name: "heap of 1,000 hosts × 300 services × 10,000 members, MB, in a 128 MB isolate",
    value: heap,
    floor: isolateMegabytes,
    ratio: heap / isolateMegabytes,
    goal: 1,
  };
}

function compileAll(): void {
  const prepared = prepare(largeFleet({ hosts: 1000, services: 300, members: 10_000 }));
  if (!prepared.ok) throw new Error(JSON.stringify(prepared.diagnostics.slice(0, 3)));
  let heap = 0;
  for (let i = 0; i < 1000; i += 1) {
    encodeBundle(prepared.ruleset(`h${i}`));
    heap = Math.max(heap, process.memoryUsage().heapUsed);
  }
  process.stdout.write(JSON.stringify({ heap: Math.round(heap / 1e6) }));
}

/** A fleet ten times as large, with hosts that are each alike: what one more affected host costs. */
function perAffectedHost(): Row {
  const small = largeFleet({ hosts: 100, services: 30, members: 1000 });
  const large = largeFleet({ hosts: 1000, services: 300, members: 10_000 });
  const measured = Array.from({ length: rounds }, () => {
    const [value, floor] = [marginal(large, 1000), marginal(small, 100)];
    return { value, floor, ratio: value / floor };
  }).slice(2);
  return {
    name: "µs per affected host: a fleet of 1,000 beside one of 100",
    value: median(measured.map((round) => round.value)),
    floor: median(measured.map((round) => round.floor)),
    ratio: median(measured.map((round) => round.ratio)),
    goal: 1.1,
  };
}

/** The whole of it, reading and diagnosing the fleet included, for each host: microseconds. */
function marginal(snapshot: ReturnType<typeof largeFleet>, hosts: number): number {
  const start = performance.now();
  const compiled = compileHosts(snapshot, snapshot.hosts.keys());
  if (!compiled.ok) throw new Error("the fleet compiles");
  return ((performance.now() - start) / hosts) * 1000;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

if (process.argv[2] === "child") compileAll();
