/**
 * The rules of one scope and direction as nft lines. Consecutive rules on classes of one map become one dispatch: the
 * class of the source is looked up once, and a chain per class holds that class's rules, however many classes exist.
 * An address is in one class at most, so looking at each class's rules apart keeps the order of evaluation; a chain
 * that decides nothing falls back to the rule after the dispatch.
 */
import type { Direction, Rule, Ruleset } from "#schema/ruleset.ts";
import { dispatch } from "./line.ts";
import { type Context, ruleLines, saddr } from "./match.ts";
import { type Chain, families, type KernelMap, type Line } from "./program.ts";
import { network } from "./quote.ts";
import { familyDigits, familyOf } from "./sets.ts";

/** What some rules need in the kernel. */
export interface Fragment {
  readonly lines: readonly Line[];
  readonly chains: readonly Chain[];
  readonly maps: readonly KernelMap[];
}

interface Segment {
  /** null: rules on no class. */
  readonly map: string | null;
  readonly rules: Rule[];
}

/** @param place names the scope and direction in generated names, unique within the program */
export function judge(ruleset: Ruleset, rules: readonly Rule[], place: string, context: Context): Fragment {
  const fragments = segments(rules).map((segment, i) =>
    segment.map === null
      ? { lines: segment.rules.flatMap((rule) => ruleLines(rule, context)), chains: [], maps: [] }
      : dispatchByClass(ruleset, segment.map, segment.rules, `${place}${i}`, context),
  );
  return {
    lines: fragments.flatMap((fragment) => fragment.lines),
    chains: fragments.flatMap((fragment) => fragment.chains),
    maps: fragments.flatMap((fragment) => fragment.maps),
  };
}

function segments(rules: readonly Rule[]): readonly Segment[] {
  const found: Segment[] = [];
  for (const rule of rules) {
    const map = rule.source.kind === "class" ? rule.source.map : null;
    const last = found.at(-1);
    if (last !== undefined && last.map === map) last.rules.push(rule);
    else found.push({ map, rules: [rule] });
  }
  return found;
}

function dispatchByClass(
  ruleset: Ruleset,
  mapOf: string,
  rules: readonly Rule[],
  place: string,
  context: Context,
): Fragment {
  const byClass = Map.groupBy(rules, (rule) => (rule.source.kind === "class" ? rule.source.class : ""));
  const chainOf = new Map([...byClass.keys()].map((name) => [name, `c_${place}_${name}`]));
  const elements = ruleset.classes.find((map) => map.name === mapOf)?.elements ?? [];
  const maps = families.map((family) => ({
    name: `m${familyDigits[family]}_${place}_${mapOf}`,
    family,
    elements: elements.flatMap(({ address, class: name }) => {
      const chain = familyOf(address) === family ? chainOf.get(name) : undefined;
      return chain === undefined ? [] : { address: network(address), chain };
    }),
  }));
  return {
    lines: maps.map((map) => dispatch(saddr[map.family], map.name)),
    chains: [...byClass].map(([name, classRules]) => ({
      name: chainOf.get(name) ?? name,
      hook: null,
      lines: classRules.flatMap((rule) => ruleLines(rule, context)),
    })),
    maps,
  };
}

export const rulesOf = (ruleset: Ruleset, scope: string, direction: Direction): readonly Rule[] =>
  ruleset.rules.filter((rule) => rule.scope === scope && rule.direction === direction);
