/** What is open to everybody, held against a reading of one port after the other; and kernel elements against programs. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { elementCount, type Program, render } from "#core/render/index.ts";
import type { Rule, Ruleset } from "#schema/ruleset.ts";
import { crowdOf, everybody, isEverybody } from "#core/simulate/crowd.ts";
import { countKernelElements, countKernelRules } from "#core/simulate/elements.ts";
import { exposureOf, type OpenPorts } from "#core/simulate/exposure.ts";
import { arbitraryGuard } from "../support/arbitraries.ts";
import { arbitraryAllowlist } from "../support/arbitrary-allowlist.ts";
import { arbitraryRuleset } from "../support/arbitrary-ruleset.ts";
import { ruleOf, rulesetOf } from "../support/rulesets.ts";

const networks = [
  "8.0.0.0/7",
  "8.0.0.0/8",
  "9.0.0.0/8",
  "11.0.0.0/8",
  "12.0.0.0/8",
  "20.0.0.0/9",
  "20.128.0.0/9",
  "10.0.0.0/8",
  "2600::/15",
  "2600::/20",
  "2a00::/21",
  "fd00::/8",
] as const;

const port = fc.integer({ min: 1, max: 12 });
const range = fc.tuple(port, port).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));
const source = fc.oneof(
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 5 }) },
);
const sketch = fc.record({
  sets: fc.array(fc.subarray([...networks]), { minLength: 6, maxLength: 6 }),
  rules: fc.array(
    fc.record({
      ranges: fc.array(range, { minLength: 1, maxLength: 3 }),
      source,
      tcp: fc.boolean(),
    }),
    {
      maxLength: 8,
    },
  ),
});

const rulesetFrom = ({
  sets,
  rules,
}: typeof sketch extends fc.Arbitrary<infer T> ? T : never): Ruleset => ({
  ...rulesetOf({ scopes: [{ kind: "host" }] }),
  sets: sets.map((elements, i) => ({ name: `n_${i}`, kind: "networks" as const, elements })),
  rules: rules.map((rule, i): Rule =>
    ruleOf({
      row: `services/s#${i}`,
      scope: "host",
      direction: "in",
      verdict: "accept",
      counter: `r_${i}`,
      protocol: {
        kind: rule.tcp ? "tcp" : "udp",
        ports: { kind: "ranges", ranges: rule.ranges },
        sourcePorts: { kind: "any" },
      },
      source: rule.source === null ? { kind: "any" } : { kind: "set", set: `n_${rule.source}` },
    }),
  ),
});

/** One port, read by itself. */
function readPort({ rules, sets }: Ruleset, transport: "tcp" | "udp", at: number) {
  const matching = rules.filter(
    ({ protocol }) =>
      protocol.kind === transport &&
      protocol.ports.kind === "ranges" &&
      protocol.ports.ranges.some(({ from, to }) => from <= at && at <= to),
  );
  const crowds = matching.map((rule) => {
    const elements = sets.find(
      ({ name }) => rule.source.kind === "set" && rule.source.set === name,
    )?.elements;
    return { row: rule.row, crowd: elements === undefined ? everybody : crowdOf(elements, 1_000) };
  });
  const toAll = isEverybody(crowds.map(({ crowd }) => crowd));
  const alone = crowds.filter(({ crowd }) => crowd.everybody || crowd.wide);
  const some = crowds.filter(({ crowd }) => crowd.share.v4 > 0 || crowd.share.v6 > 0);
  return {
    toAll,
    isOpen: toAll || alone.length > 0,
    rows: [...new Set((alone.length > 0 ? alone : some).map(({ row }) => row))].toSorted(),
  };
}

const find = (open: readonly OpenPorts[], transport: string, at: number) =>
  open.filter((ports) => ports.transport === transport && ports.from <= at && at <= ports.to);

describe("exposure", () => {
  test("is what a reading of one port after the other says, with the rows that are to blame", () => {
    let opened = 0;
    fc.assert(
      fc.property(sketch, (drawn) => {
        const ruleset = rulesetFrom(drawn);
        const { open, rowsOf } = exposureOf(ruleset);
        for (const transport of ["tcp", "udp"] as const)
          for (let at = 1; at <= 13; at += 1) {
            const expected = readPort(ruleset, transport, at);
            const found = find(open, transport, at);
            expect(found.map(({ toAll }) => toAll)).toEqual(
              expected.isOpen ? [expected.toAll] : [],
            );
            if (!expected.isOpen) continue;
            opened += 1;
            if (at % 4 === 0)
              expect(rowsOf([{ transport, from: at, to: at, toAll: true }])).toEqual(expected.rows);
          }
      }),
      { numRuns: 200 },
    );
    expect(opened).toBeGreaterThan(200);
  });
});

/** Of lists that stand in the rules themselves. */
const listed = ({ chains }: Program): number =>
  chains
    .flatMap(({ lines }) => lines.flatMap(({ text }) => [...text.matchAll(/\{ ([^}]*) \}/g)]))
    .reduce((sum, [, list = ""]) => sum + list.split(",").length, 0);
const linesIn = ({ chains }: Program): number =>
  chains.reduce((sum, { lines }) => sum + lines.length, 0);

describe("kernel elements and rules", () => {
  test("are never fewer than a program holds", () => {
    const any = fc.oneof(arbitraryRuleset, arbitraryAllowlist);
    fc.assert(
      fc.property(any, arbitraryGuard, (ruleset, guard) => {
        const rendered = render(ruleset, guard);
        const bare = render({ ...ruleset, scopes: [], rules: [] }, guard);
        if (!rendered.ok || !bare.ok) return;
        const [program, always] = [rendered.program, bare.program];
        const overlays = ruleset.scopes.filter(({ kind }) => kind === "overlay").length;
        const output = listed(always) + linesIn(always);
        expect(countKernelElements(ruleset)).toBeGreaterThanOrEqual(elementCount(program));
        expect(countKernelElements(ruleset) + output).toBeGreaterThanOrEqual(
          elementCount(program) + listed(program) - listed(always),
        );
        // In two families, and a dozen for each overlay whatever its rules say.
        expect(2 * countKernelRules(ruleset) + 12 * overlays + 12 + output).toBeGreaterThanOrEqual(
          linesIn(program) - linesIn(always),
        );
      }),
      { numRuns: 500 },
    );
  });
});
