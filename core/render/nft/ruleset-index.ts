/**
 * A ruleset's parts by name, made once for a program: what is looked up for each rule or each scope must not cost as
 * much as the ruleset is large, or a bundle of many small parts would keep a host busy for hours.
 */
import { sortBy } from "#schema/address.ts";
import {
  mapClassMembers,
  type Direction,
  type NamedSet,
  type Rule,
  type Ruleset,
} from "#schema/ruleset.ts";

export interface RulesetIndex {
  readonly sets: ReadonlyMap<string, NamedSet>;
  /** Addresses of a class map with their classes, in the order of addresses. */
  members(map: string): readonly (readonly [address: string, name: string])[];
  /** In order of evaluation. @param scope as rules name it */
  rules(scope: string, direction: Direction): readonly Rule[];
}

export function indexOf(ruleset: Ruleset): RulesetIndex {
  const members = mapClassMembers(ruleset);
  const rules = Map.groupBy(ruleset.rules, ({ scope, direction }) => `${scope} ${direction}`);
  return {
    sets: new Map(ruleset.sets.map((set) => [set.name, set])),
    members: (map) => sortBy([...(members.get(map) ?? [])], ([address]) => address),
    rules: (scope, direction) => rules.get(`${scope} ${direction}`) ?? [],
  };
}
