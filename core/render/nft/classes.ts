/**
 * The rules of one scope and direction as nft lines. Consecutive rules on classes of one map become one dispatch: the
 * class of the source is looked up once, and a chain per class holds that class's rules, however many classes exist.
 * An address is in one class at most, so looking at each class's rules apart keeps the order of evaluation; a chain
 * that decides nothing falls back to the rule after the dispatch.
 */
import type { Rule } from "#schema/ruleset.ts";
import { renderAllowlist } from "./allowlist.ts";
import { dispatch } from "./line.ts";
import { type Context, renderRule, saddr } from "./match.ts";
import { addressTypes, families, type Fragment, type KernelMap } from "./program.ts";
import { quoteNetwork } from "./quote.ts";
import { familyDigits, familyOf } from "./sets.ts";

/** Consecutive rules that are printed together: `accepts` and `plain` ones are on no class. */
type Segment =
  | { readonly kind: "class"; readonly map: string; readonly rules: Rule[] }
  | { readonly kind: "accepts" | "plain"; readonly rules: Rule[] };

/** @param place names the scope and direction in generated names, unique within the program */
export function renderRules(rules: readonly Rule[], place: string, context: Context): Fragment {
  const fragments = splitSegments(rules, context).map((segment, i): Fragment => {
    switch (segment.kind) {
      case "class":
        return dispatchByClass(segment.map, segment.rules, `${place}${i}`, context);
      case "accepts":
        return renderAllowlist(segment.rules, `${place}${i}`, context);
      case "plain":
        return {
          lines: segment.rules.flatMap((rule) => renderRule(rule, context)),
          chains: [],
          maps: [],
        };
    }
  });
  return {
    lines: fragments.flatMap((fragment) => fragment.lines),
    chains: fragments.flatMap((fragment) => fragment.chains),
    maps: fragments.flatMap((fragment) => fragment.maps),
  };
}

function splitSegments(rules: readonly Rule[], context: Context): readonly Segment[] {
  const found: Segment[] = [];
  for (const rule of rules) {
    const own = segmentOf(rule, context);
    const last = found.at(-1);
    if (last !== undefined && sameSegment(last, own)) last.rules.push(rule);
    else found.push(own);
  }
  return found;
}

function segmentOf(rule: Rule, { scope }: Context): Segment {
  if (rule.source.kind === "class") return { kind: "class", map: rule.source.map, rules: [rule] };
  return {
    kind: scope.kind === "host" && rule.verdict === "accept" ? "accepts" : "plain",
    rules: [rule],
  };
}

const sameSegment = (a: Segment, b: Segment): boolean =>
  a.kind === "class" ? b.kind === "class" && a.map === b.map : a.kind === b.kind;

function dispatchByClass(
  mapOf: string,
  rules: readonly Rule[],
  place: string,
  context: Context,
): Fragment {
  const byClass = Map.groupBy(rules, (rule) =>
    rule.source.kind === "class" ? rule.source.class : "",
  );
  const chainOf = new Map([...byClass.keys()].map((name) => [name, `c_${place}_${name}`]));
  const elements = context.index.members(mapOf);
  const maps = families.map((family): KernelMap => ({
    name: `m${familyDigits[family]}_${place}_${mapOf}`,
    type: [addressTypes[family]],
    elements: elements.flatMap(([address, name]) => {
      const chain = familyOf(address) === family ? chainOf.get(name) : undefined;
      return chain === undefined ? [] : { key: quoteNetwork(address), chain };
    }),
  }));
  return {
    lines: families.map((family, i) => dispatch(saddr[family], maps[i]?.name ?? "")),
    chains: [...byClass].map(([name, classRules]) => ({
      name: chainOf.get(name) ?? name,
      hook: null,
      lines: classRules.flatMap((rule) => renderRule(rule, context)),
    })),
    maps,
  };
}
