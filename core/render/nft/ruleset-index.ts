/**
 * A ruleset's parts by name, made once for a program: what is looked up for each rule or each scope must not cost as
 * much as the ruleset is large, or a bundle of many small parts would keep a host busy for hours.
 */
import type { ClassMap, Direction, NamedSet, Rule, Ruleset } from "#schema/ruleset.ts";

export interface RulesetIndex {
  readonly sets: ReadonlyMap<string, NamedSet>;
  readonly classes: ReadonlyMap<string, ClassMap>;
  /** In order of evaluation. @param scope as rules name it */
  rules(scope: string, direction: Direction): readonly Rule[];
}

export function indexOf(ruleset: Ruleset): RulesetIndex {
  const rules = Map.groupBy(ruleset.rules, ({ scope, direction }) => `${scope} ${direction}`);
  return {
    sets: new Map(ruleset.sets.map((set) => [set.name, set])),
    classes: new Map(ruleset.classes.map((map) => [map.name, map])),
    rules: (scope, direction) => rules.get(`${scope} ${direction}`) ?? [],
  };
}
