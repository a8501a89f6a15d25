/** The meet where scopes of other kinds stand beside overlays: what it accepts, both accept, whatever they are named. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { covers } from "#core/compile/covers.ts";
import { meet } from "#core/compile/meet.ts";
import { type Packet, prepare } from "#core/simulate/index.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { listDirections, Ruleset, type Scope, scopeId } from "#schema/ruleset.ts";
import { ruleOf } from "#test/support/rulesets.ts";

const device = fc.constantFrom<string>("tap1", "tap2", "br1");
const scope: fc.Arbitrary<Scope> = fc.oneof(
  fc.record({
    kind: fc.constant("overlay" as const),
    name: fc.constantFrom<string>("a", "b"),
    interfaces: device.map((name) => [name]),
    subnets: fc.constantFrom<string>("10.0.0.0/24", "10.0.1.0/24").map((subnet) => [subnet]),
  }),
  fc.record({
    kind: fc.constant("vnic" as const),
    name: fc.constantFrom<string>("a", "b"),
    device,
    bridge: fc.constant("br0"),
    mac: fc.constant("52:54:00:00:00:01"),
    addresses: fc.constantFrom<string>("10.0.0.5", "10.0.1.5").map((address) => [address]),
    mode: fc.constantFrom("securitygroup" as const, "passthrough" as const, "l2overlay" as const),
  }),
  fc.record({
    kind: fc.constant("network" as const),
    name: fc.constantFrom<string>("a", "b"),
    bridge: device,
    subnets: fc.constant<string[]>(["10.0.0.0/24"]),
    inside: fc.constantFrom("open" as const, "isolated" as const),
    egress: fc.constantFrom("routed" as const, "none" as const),
  }),
  fc.record({
    kind: fc.constant("zone-pair" as const),
    from: fc.constantFrom("a", "b"),
    to: fc.constant("c"),
    interfaces: fc.record({
      from: device.map((name) => [name]),
      to: fc.constant<string[]>(["eth0"]),
    }),
  }),
);

/** Of each direction: a deny or none, a grant or none, and a last word. */
const ruleset: fc.Arbitrary<Ruleset> = fc
  .record({
    scopes: fc.array(scope, { maxLength: 3 }),
    picks: fc.array(fc.nat({ max: 7 }), { minLength: 9, maxLength: 9 }),
  })
  .map(({ scopes, picks }) => {
    const host: Scope = { kind: "host" };
    const rules = [host, ...scopes].flatMap((own, i) =>
      listDirections(own, false).flatMap((direction, j) => {
        const pick = picks[(i * 3 + j) % picks.length] ?? 0;
        const place = { scope: scopeId(own), direction } as const;
        const said = { protocol: { kind: "ip", number: 47 } } as const;
        return [
          ...(pick & 1 ? [ruleOf({ ...place, ...said, verdict: "drop", counter: "r_d" })] : []),
          ...(pick & 2 ? [ruleOf({ ...place, verdict: "accept", counter: "r_a" })] : []),
          ruleOf({
            ...place,
            section: "end",
            layer: own.kind === "vnic" ? "l2" : "l3",
            verdict: pick === 7 ? "accept" : "drop",
            counter: "r_e",
          }),
        ];
      }),
    );
    return { scopes: [host, ...scopes], sets: [], classes: [], rules };
  })
  .filter((made) => Ruleset.safeParse(made).success);

const devices = ["tap1", "tap2", "br1", "eth0"];
const packets: readonly Packet[] = devices.flatMap((iif) =>
  ["10.0.0.5", "10.0.1.5", "192.0.2.1"].flatMap((source) =>
    [{ protocol: "other" } as const, { protocol: "ip", number: 47 } as const].flatMap((payload) => {
      const said = { ...payload, source, destination: "10.0.0.9", state: "new" } as const;
      return [
        { hook: "input", iif, ...said } as const,
        { hook: "output", oif: iif, ...said } as const,
        ...devices.flatMap((oif) => [
          { hook: "forward", iif, oif, ...said } as const,
          { hook: "bridge", iif, oif, ...said } as const,
        ]),
      ];
    }),
  ),
);

test("accepts no packet that one of the two does not, and is valid and the same whichever comes first", () => {
  const seen = { alike: 0, apart: 0, accepted: 0 };
  fc.assert(
    fc.property(ruleset, ruleset, fc.boolean(), (a, other, isSame) => {
      const b = isSame ? { ...other, scopes: a.scopes, rules: a.rules } : other;
      const both = meet(a, b);
      seen[isSame ? "alike" : "apart"] += 1;
      expect(Ruleset.safeParse(both).error).toBeUndefined();
      expect(formatCanonical(meet(b, a))).toBe(formatCanonical(both));
      const [decide, left, right] = [prepare(both), prepare(a), prepare(b)];
      for (const packet of packets)
        if (decide(packet).verdict === "accept") {
          seen.accepted += 1;
          expect([packet, left(packet).verdict, right(packet).verdict]).toEqual([
            packet,
            "accept",
            "accept",
          ]);
        }
    }),
    { numRuns: 600 },
  );
  expect(Math.min(seen.alike, seen.apart, seen.accepted)).toBeGreaterThan(100);
});

test("covers says no packet is taken only where none is", () => {
  fc.assert(
    fc.property(ruleset, ruleset, (outer, inner) => {
      if (!covers(outer, inner)) return;
      const [wide, narrow] = [prepare(outer), prepare(inner)];
      for (const packet of packets)
        if (narrow(packet).verdict === "accept")
          expect([packet, wide(packet).verdict]).toEqual([packet, "accept"]);
    }),
    { numRuns: 1_500 },
  );
});
