/** What a change is said to open is what packets get: exact in both ways, and what it closes is the same turned round. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile } from "#core/compile/index.ts";
import { requireNetwork } from "#schema/address.ts";
import { type Direction, type Ruleset, scopeId } from "#schema/ruleset.ts";
import { findFirstMatch, lookupOf } from "#core/simulate/match.ts";
import { type Opening, findOpenings, type Peers } from "#core/simulate/openings.ts";
import { flowOf, type Packet } from "#core/simulate/packet.ts";
import { everywhere, meet, subtractRanges, rangesOf, textsOf } from "#core/simulate/ranges.ts";
import { arbitraryArrival, arbitraryIntent, arbitraryPacket } from "../support/arbitraries.ts";
import { snapshotOf, type WrittenRow } from "../support/intent.ts";
import { networkPool } from "../support/network-pool.ts";

/** A row as somebody might have had it before; undefined: it was not there. */
function earlier(row: WrittenRow, how: number): WrittenRow | undefined {
  switch (row.kind) {
    case "host":
      return { ...row, body: { ...row.body, addresses: row.body.addresses?.slice(how % 2) ?? [] } };
    case "zone":
      return { ...row, body: { cidrs: how % 2 === 0 ? ["10.8.0.0/23", "fd00:8::/64"] : [] } };
    case "service":
      return { ...row, body: { ...row.body, ingress: row.body.ingress.slice(how % 3) } };
    case "member":
      return how % 3 === 0 ? undefined : { ...row, body: { ...row.body, addresses: [] } };
    case "overlay": {
      const policy =
        (["same-subnet", "group-based", "full-isolation"] as const)[how % 3] ?? "group-based";
      return { ...row, body: { ...row.body, policy } };
    }
  }
}

interface Change {
  readonly before: Ruleset;
  readonly after: Ruleset;
}

/** Rulesets of hosts before and after some rows changed; either may be the later. */
const arbitraryChange: fc.Arbitrary<readonly Change[]> = fc
  .record({
    rows: arbitraryIntent,
    hows: fc.array(fc.option(fc.nat(), { freq: 3, nil: undefined }), {
      minLength: 40,
      maxLength: 40,
    }),
    backwards: fc.boolean(),
  })
  .map(({ rows, hows, backwards }) => {
    const old = rows.flatMap((row, i) => {
      const how = hows[i % hows.length];
      return how === undefined ? [row] : (earlier(row, how) ?? []);
    });
    const [before, after] = (backwards ? [rows, old] : [old, rows]).map((each) =>
      compile(snapshotOf(each)),
    );
    if (before?.ok !== true || after?.ok !== true) return [];
    return [...before.rulesets].flatMap(([host, ruleset]) => {
      const next = after.rulesets.get(host);
      return next === undefined ? [] : [{ before: ruleset, after: next }];
    });
  })
  .filter((changes) => changes.length > 0);

type Accepts = (scope: string, direction: Direction, packet: Packet) => boolean;

function acceptsOf(ruleset: Ruleset): Accepts {
  const lookup = lookupOf(ruleset);
  const subnets = new Map(
    ruleset.scopes.map((scope) => [
      scopeId(scope),
      scope.kind === "overlay" ? scope.subnets.map(requireNetwork) : [],
    ]),
  );
  return (scope, direction, packet) => {
    const ground = { id: scope, subnets: subnets.get(scope) ?? [], own: new Set<string>() };
    return findFirstMatch(lookup, ground, direction, flowOf(packet))?.rule.verdict === "accept";
  };
}

const has = ({ ranges }: Peers, address: string): boolean =>
  meet(ranges, rangesOf([address])).length > 0;

function covers({ what, from, to, until }: Opening, packet: Packet): boolean {
  if (!has(from, packet.source) || !has(to, packet.destination)) return false;
  if (until !== null && packet.at !== undefined && packet.at >= until) return false;
  if (what === "any") return true;
  const words = what.split(" ");
  const at = words.indexOf(packet.protocol);
  if (at < 0) return false;
  if (packet.protocol !== "tcp" && packet.protocol !== "udp") return true;
  const ports = words[at + 1] ?? "";
  if (!/^\d/.test(ports)) return true;
  return ports.split(",").some((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return first <= packet.port && packet.port <= last;
  });
}

const times = [undefined, 1_893_455_999, 1_893_456_000, 1_924_992_000];
const arbitraryNew: fc.Arbitrary<Packet> = fc
  .tuple(fc.oneof(arbitraryPacket, arbitraryArrival), fc.constantFrom(...times))
  .map(([packet, at]) => ({ ...packet, state: "new", ...(at === undefined ? {} : { at }) }));

describe("what a change opens", () => {
  test("every packet that passes now and did not is said, and nothing else is", () => {
    let opened = 0;
    const judge = ({ before, after }: Change, packets: readonly Packet[]): void => {
      const said = [...findOpenings(before, after)];
      const [then, now] = [acceptsOf(before), acceptsOf(after)];
      for (const packet of packets)
        for (const scope of after.scopes.map(scopeId))
          for (const direction of ["in", "out", "peer"] as const) {
            const own = said.filter((one) => one.scope === scope && one.direction === direction);
            const covering = own.filter((one) => covers(one, packet));
            if (now(scope, direction, packet) && !then(scope, direction, packet)) {
              opened += 1;
              expect(covering).not.toEqual([]);
            }
            for (const { until } of covering) {
              // As long as it is open: before may have let it in for a shorter time.
              const late = { ...packet, at: until === null ? 4_000_000_000 : until - 1 };
              expect(now(scope, direction, packet)).toBe(true);
              expect([now(scope, direction, late), then(scope, direction, late)]).toEqual([
                true,
                false,
              ]);
            }
          }
    };
    fc.assert(
      fc.property(
        arbitraryChange,
        fc.array(arbitraryNew, { minLength: 20, maxLength: 40 }),
        (changes, packets) => {
          for (const change of changes) judge(change, packets);
        },
      ),
      { numRuns: 400 },
    );
    expect(opened).toBeGreaterThan(100);
  });

  test("equal rulesets open nothing", () => {
    fc.assert(
      fc.property(arbitraryChange, (changes) => {
        for (const { after } of changes) expect([...findOpenings(after, after)]).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});

test("ranges: what is taken away and what is shared are the whole, and texts say exactly that", () => {
  const networks = fc.subarray([
    ...networkPool,
    "0.0.0.0/0",
    "::/0",
    "10.8.0.4/32",
    "255.255.255.255/32",
  ]);
  fc.assert(
    fc.property(networks, networks, (x, y) => {
      const [a, b] = [rangesOf(x), rangesOf(y)];
      const [rest, shared] = [subtractRanges(a, b), meet(a, b)];
      expect(meet(rest, b)).toEqual([]);
      const said = rangesOf([...textsOf(rest, 10_000), ...textsOf(shared, 10_000)]);
      expect([subtractRanges(said, a), subtractRanges(a, said)]).toEqual([[], []]);
      expect(subtractRanges(a, everywhere)).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
