/** Whatever ruleset and guard the types admit: nothing escapes quoting, management stands first, bytes are the same. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  countOnly,
  emptyInventory,
  inventoryOf,
  type Program,
  listRefusalCounters,
  render,
  transaction,
} from "#core/render/index.ts";
import type { Rule, Ruleset } from "#schema/ruleset.ts";
import { arbitraryGuard } from "../support/arbitraries.ts";
import { arbitraryAllowlist } from "../support/arbitrary-allowlist.ts";
import { arbitraryRuleset } from "../support/arbitrary-ruleset.ts";

/** Counters must be printable as they are; any other name is encoded. */
const encoded = arbitraryRuleset.map((ruleset): Ruleset => ({
  ...ruleset,
  rules: ruleset.rules.map((rule): Rule => ({ ...rule, counter: `r_${rule.counter}` })),
}));
const printable = fc.oneof(
  { weight: 3, arbitrary: encoded },
  { weight: 1, arbitrary: arbitraryAllowlist },
);

function programOf(ruleset: Ruleset, guard: Parameters<typeof render>[1]): Program {
  const rendered = render(ruleset, guard);
  if (!rendered.ok) throw new Error(rendered.message);
  return rendered.program;
}

const name = "[a-z][A-Za-z0-9_]*";
const address = "[0-9a-f.:]+(?:/[0-9]+)?";
const service = "(?:tcp|udp) \\. [0-9]{1,5}";
const key = `(?:${address}|${address} \\. ${service}|${service})`;
const element = `(?:${address}|${address} \\. ${address}|${key} : jump ${name})`;
/** Every line that may stand in a transaction. A rule line has only words, numbers, addresses and quoted names. */
const grammar = [
  /^(add|flush|delete) table inet portcullis$/,
  /^table inet portcullis \{$/,
  /^\t?\}$/,
  new RegExp(`^\\t(counter|set|map|chain) ${name} \\{$`),
  /^\t\ttype ipv[46]_addr( \. ipv[46]_addr)?$/,
  /^\t\ttype (ipv[46]_addr|(ipv[46]_addr \. )?inet_proto \. inet_service) : verdict$/,
  /^\t\tflags interval$/,
  /^\t\ttype filter hook (input|forward|output) priority filter - 10; policy (accept|drop);$/,
  /^\t\t(?:[a-z0-9_@.:/, {}<-]|[A-Z]| != | >= |"[A-Za-z0-9_.-]{1,190}")+$/,
  new RegExp(`^flush (set|map) inet portcullis ${name}$`),
  new RegExp(`^delete (set|map|chain|counter) inet portcullis ${name}$`),
  new RegExp(`^add element inet portcullis ${name} \\{ ${element}(?:, ${element})* \\}$`),
];

describe("render", () => {
  test("prints nothing but lines of its own grammar, on its own table", () => {
    fc.assert(
      fc.property(printable, printable, arbitraryGuard, (ruleset, before, guard) => {
        const text = transaction(programOf(ruleset, guard), inventoryOf(programOf(before, guard)));
        const strange = text
          .trimEnd()
          .split("\n")
          .filter((line) => !grammar.some((form) => form.test(line)));
        expect(strange).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test("ends every chain that judges in an explicit verdict, and declares all that it names", () => {
    fc.assert(
      fc.property(printable, arbitraryGuard, (ruleset, guard) => {
        const { chains, sets, maps, counters } = programOf(ruleset, guard);
        const known = new Set(chains.map((chain) => chain.name));
        for (const chain of chains) {
          const classChain = chain.name.startsWith("c_");
          const last = chain.lines.at(-1)?.decision.kind;
          if (!classChain && chain.name !== "forward")
            expect(["accept", "drop", "goto"]).toContain(last);
          for (const { decision, sets: used, counters: counted } of chain.lines) {
            if (decision.kind === "jump" || decision.kind === "goto")
              expect(known).toContain(decision.chain);
            if (decision.kind === "vmap")
              expect(maps.map((map) => map.name)).toContain(decision.map);
            for (const set of used) expect(sets.map((each) => each.name)).toContain(set);
            for (const counter of counted) expect(counters).toContain(counter);
          }
        }
        for (const map of maps)
          for (const { chain } of map.elements) expect(known).toContain(chain);
        const names = [...chains, ...sets, ...maps].map((object) => object.name);
        expect(new Set(names).size).toBe(names.length);
      }),
      { numRuns: 300 },
    );
  });

  test("puts the guard's management before every rule of the bundle, with nothing but loopback before it", () => {
    fc.assert(
      fc.property(printable, arbitraryGuard, (ruleset, guard) => {
        const input = programOf(ruleset, guard).chains.find((chain) => chain.name === "input");
        if (input === undefined) throw new Error("expected input to be judged");
        const entries =
          (guard.management.interfaces.length > 0 ? 1 : 0) + guard.management.allow.length;
        const [loopback, ...rest] = input.lines;
        expect(loopback?.text).toBe('iif "lo" accept');
        for (const line of rest.slice(0, entries)) {
          expect(line.text).toMatch(/^(iifname |ip6? saddr )/);
          expect(line).toMatchObject({ counters: [], decision: { kind: "accept" } });
        }
      }),
      { numRuns: 300 },
    );
  });

  test("gives the same bytes for the same value, however often and whatever is present", () => {
    fc.assert(
      fc.property(printable, arbitraryGuard, (ruleset, guard) => {
        const copy: Ruleset = structuredClone(ruleset);
        const text = transaction(programOf(ruleset, guard), emptyInventory);
        expect(transaction(programOf(copy, structuredClone(guard)), emptyInventory)).toBe(text);
      }),
    );
  });

  test("has as many rules whoever is a member", () => {
    fc.assert(
      fc.property(printable, arbitraryGuard, (ruleset, guard) => {
        const nobody: Ruleset = {
          ...ruleset,
          sets: ruleset.sets.map((set) => ({ ...set, elements: [] })),
          classes: ruleset.classes.map((map) => ({ ...map, elements: [] })),
        };
        expect(programOf(nobody, guard).chains).toEqual(programOf(ruleset, guard).chains);
      }),
    );
  });
});

describe("countOnly", () => {
  test("has no drop, no reject and no policy but accept, and is otherwise the same program", () => {
    fc.assert(
      fc.property(printable, arbitraryGuard, (ruleset, guard) => {
        const program = programOf(ruleset, guard);
        const counting = countOnly(program);
        const text = transaction(counting, emptyInventory).replaceAll(/"[^"]*"/g, "");
        expect(text).not.toMatch(/\b(drop|reject)\b/);
        expect(counting.chains.flatMap(({ hook }) => hook?.policy ?? [])).not.toContain("drop");
        expect([counting.sets, counting.maps]).toEqual([program.sets, program.maps]);
        for (const [i, chain] of program.chains.entries()) {
          const other = counting.chains[i];
          expect(other?.name).toBe(chain.name);
          for (const [j, line] of chain.lines.entries()) {
            const passing = other?.lines[j];
            if (!["drop", "reject"].includes(line.decision.kind)) expect(passing).toEqual(line);
            else {
              expect(passing).toMatchObject({ sets: line.sets, decision: { kind: "accept" } });
              expect(passing?.counters[0]).toBe(line.counters[0] ?? "c_undecided");
              const matches = line.text.replace(/(drop|reject with [a-z -]+)$/, "");
              expect(passing?.text.startsWith(matches)).toBe(true);
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test("tells the counters of refusals from those that count something else", () => {
    fc.assert(
      fc.property(printable, arbitraryGuard, (ruleset, guard) => {
        const program = programOf(ruleset, guard);
        const refusals = new Set(listRefusalCounters(program));
        for (const { decision, counters } of program.chains.flatMap(({ lines }) => lines))
          if (!["drop", "reject"].includes(decision.kind))
            for (const counter of counters) expect(refusals).not.toContain(counter);
      }),
    );
  });
});
