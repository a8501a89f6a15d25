/** Rulesets written by hand for kernel tests: rules by what matters, everything else at its widest. */
import { Guard } from "#schema/guard.ts";
import { listDirections, type Rule, Ruleset, scopeId, widest } from "#schema/ruleset.ts";
import { type Program, render } from "#core/render/index.ts";

type Written = Pick<Rule, "scope" | "direction" | "verdict" | "counter"> & Partial<Rule>;

/** The section that a verdict has where it does not end a direction. */
const sections = { accept: "grant", drop: "deny", reject: "end" } as const;

/** A rule that matches everything but for what is given. */
export const ruleOf = (rule: Written): Rule => ({
  ...widest,
  row: "overlays/test",
  section: sections[rule.verdict],
  ...rule,
});

const ranks = { deny: 0, grant: 1, end: 2 } as const;
const placeOf = ({ scope, direction }: Rule): string => `${scope} ${direction}`;

/** In their sections: of each direction the last rule ends it where it refuses everything. */
export function inSections(rules: readonly Rule[]): Rule[] {
  const last = new Map(rules.map((rule) => [placeOf(rule), rule]));
  return rules
    .map((rule): Rule =>
      last.get(placeOf(rule)) === rule && rule.verdict !== "accept" && matchesAll(rule)
        ? { ...rule, section: "end" }
        : rule,
    )
    .toSorted((a, b) => ranks[a.section] - ranks[b.section]);
}

const matchesAll = (rule: Rule): boolean =>
  (["arrives", "protocol", "source", "destination", "state", "from", "expires"] as const).every(
    (field) => JSON.stringify(rule[field]) === JSON.stringify(widest[field]),
  );

/** Drops at the end of every direction; rules are put into their sections. */
export function rulesetOf(parts: Partial<Ruleset>): Ruleset {
  const scopes = parts.scopes ?? [];
  const given = inSections(parts.rules ?? []);
  const ends = scopes.flatMap((scope) =>
    listDirections(
      scope,
      given.some((rule) => placeOf(rule) === "host out"),
    ).map((direction) =>
      ruleOf({
        scope: scopeId(scope),
        section: "end",
        direction,
        verdict: "drop",
        counter: `r_end_${direction}_${scope.kind.replace("-", "_")}`,
      }),
    ),
  );
  const closed = given.some((rule) => placeOf(rule) === "host out" && rule.section === "end");
  return Ruleset.parse({
    scopes: [],
    sets: [],
    classes: [],
    ...parts,
    rules: [...given, ...ends.filter((rule) => !closed || placeOf(rule) !== "host out")],
  });
}

/** One group-based overlay on `tun0`: `groups` gives each group's members. */
export function groupsRuleset(groups: Readonly<Record<string, readonly string[]>>): Ruleset {
  const names = Object.keys(groups);
  return rulesetOf({
    scopes: [
      {
        kind: "overlay",
        name: "office",
        interfaces: ["tun0"],
        subnets: ["10.8.0.0/16", "fd00:8::/64"],
      },
    ],
    sets: names.map((name) => ({
      name: `g_${name}`,
      kind: "addresses" as const,
      elements: [...(groups[name] ?? [])],
    })),
    classes: [
      {
        name: "k_office",
        classes: names.map((name) => ({ name: `k_${name}`, set: `g_${name}` })),
      },
    ],
    rules: names.map((name) =>
      ruleOf({
        scope: "overlay/office",
        direction: "peer",
        source: { kind: "class", map: "k_office", class: `k_${name}` },
        destination: { kind: "set", set: `g_${name}` },
        verdict: "accept",
        counter: `r_${name}`,
      }),
    ),
  });
}

export const testGuard: Guard = Guard.parse({ management: { interfaces: ["mgmt0"] } });

/** @throws Error for what nft cannot say */
export function mustRender(ruleset: Ruleset, guard: Guard = testGuard): Program {
  const rendered = render(ruleset, guard);
  if (!rendered.ok) throw new Error(rendered.message);
  return rendered.program;
}
