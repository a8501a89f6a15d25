import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatAddress, requireNetwork } from "#schema/address.ts";
import { Guard } from "#schema/guard.ts";
import { Ruleset } from "#schema/ruleset.ts";
import type { Packet } from "#core/simulate/index.ts";
import { prepare, simulate } from "#core/simulate/index.ts";
import { arbitraryGuard, arbitraryPacket } from "../support/arbitraries.ts";
import { arbitraryRuleset } from "../support/arbitrary-ruleset.ts";

/** A packet of each management entry of a guard, and its answer, as conntrack may see it least well. */
function managementPackets(guard: Guard): readonly Packet[] {
  const byInterface = guard.management.interfaces.flatMap((device): Packet[] =>
    [
      { source: "198.51.100.9", destination: "192.0.2.1" },
      { source: "2001:db8::9", destination: "2001:db8::1" },
    ].flatMap((ends): Packet[] => {
      const rest = {
        ...ends,
        protocol: "tcp",
        port: 2222,
        sourcePort: 40_000,
        state: "invalid",
      } as const;
      return [
        { hook: "input", iif: device, ...rest },
        { hook: "output", oif: device, ...rest },
      ];
    }),
  );
  const byFlow = guard.management.allow.flatMap(({ cidr, proto, port, last_port }): Packet[] => {
    const { family, last } = requireNetwork(cidr);
    const peer = formatAddress(family, last);
    const ends = { source: peer, destination: peer, protocol: proto, state: "new" } as const;
    return [port, last_port ?? port].flatMap((own): Packet[] => [
      { hook: "input", iif: "eth9", ...ends, port: own, sourcePort: 40_000 },
      { hook: "output", oif: "eth9", ...ends, port: 40_000, sourcePort: own },
    ]);
  });
  return [...byInterface, ...byFlow];
}

describe("simulate", () => {
  test("the arbitrary rulesets and guards satisfy their types", () => {
    fc.assert(
      fc.property(arbitraryRuleset, arbitraryGuard, (ruleset, guard) => {
        expect(Ruleset.safeParse(ruleset).error).toBeUndefined();
        expect(Guard.parse(guard)).toEqual(guard);
      }),
      { numRuns: 200 },
    );
  });

  test("no ruleset shuts the management plane", () => {
    fc.assert(
      fc.property(arbitraryRuleset, arbitraryGuard, (ruleset, guard) => {
        for (const packet of managementPackets(guard))
          expect(simulate(ruleset, packet, guard).verdict).toBe("accept");
      }),
      { numRuns: 200 },
    );
  });

  test("the rule it names is the first that decides: every rule before it can go without changing the verdict", () => {
    fc.assert(
      fc.property(arbitraryRuleset, arbitraryPacket, (ruleset, packet) => {
        const judgement = simulate(ruleset, packet);
        if (judgement.rule === null) return;
        const decider = ruleset.rules[judgement.rule];
        expect(judgement).toMatchObject({ row: decider?.row, verdict: decider?.verdict });
        const later = ruleset.rules.filter(
          (rule, i) =>
            i >= (judgement.rule ?? 0) ||
            rule.scope !== decider?.scope ||
            rule.direction !== decider.direction,
        );
        expect(simulate({ ...ruleset, rules: later }, packet)).toMatchObject({
          row: judgement.row,
          verdict: judgement.verdict,
        });
      }),
      { numRuns: 500 },
    );
  });

  test("a drop put first never opens a packet", () => {
    fc.assert(
      fc.property(arbitraryRuleset, arbitraryPacket, fc.nat(), (ruleset, packet, pick) => {
        const model = ruleset.rules[pick % Math.max(1, ruleset.rules.length)];
        if (model === undefined) return;
        const rules = [{ ...model, verdict: "drop" as const }, ...ruleset.rules];
        if (simulate(ruleset, packet).verdict !== "accept")
          expect(simulate({ ...ruleset, rules }, packet).verdict).not.toBe("accept");
      }),
      { numRuns: 500 },
    );
  });

  test("a packet of a judged hook is always decided by a rule or by what always passes", () => {
    fc.assert(
      fc.property(
        arbitraryRuleset,
        fc.array(arbitraryPacket, { maxLength: 20 }),
        (ruleset, packets) => {
          const judge = prepare(ruleset);
          for (const packet of packets) {
            const { row, tally } = judge(packet);
            if (tally === "c_spoofed")
              expect([row, packet.hook === "output"]).toEqual([null, false]);
            else if (packet.hook === "forward") expect(row === null).toBe(tally === null);
            else expect(tally).toBe(null);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
