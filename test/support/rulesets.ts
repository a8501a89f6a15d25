/** Rulesets written by hand for kernel tests: rules by what matters, everything else at its widest. */
import { Guard } from "#schema/guard.ts";
import { type Rule, Ruleset, scopeId } from "#schema/ruleset.ts";
import { type Program, render } from "#core/render/index.ts";

type Written = Pick<Rule, "scope" | "direction" | "verdict" | "counter"> & Partial<Rule>;

/** A rule that matches everything but for what is given. */
export const ruleOf = (rule: Written): Rule => ({
  row: "overlays/test",
  layer: "l3",
  protocol: { kind: "any" },
  source: { kind: "any" },
  destination: { kind: "any" },
  state: "any",
  expires: null,
  ...rule,
});

/** Drops at the end of every direction that has none. */
export function rulesetOf(parts: Partial<Ruleset>): Ruleset {
  const scopes = parts.scopes ?? [];
  const ends = scopes.flatMap((scope) =>
    (scope.kind === "host" ? (["in"] as const) : (["peer", "out", "in"] as const)).map(
      (direction) =>
        ruleOf({
          scope: scopeId(scope),
          direction,
          verdict: "drop",
          counter: `r_end_${direction}_${scope.kind}`,
        }),
    ),
  );
  return Ruleset.parse({
    scopes: [],
    sets: [],
    classes: [],
    ...parts,
    rules: [...(parts.rules ?? []), ...ends],
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
        classes: names.map((name) => `k_${name}`),
        elements: names.flatMap((name) =>
          (groups[name] ?? []).map((address) => ({ address, class: `k_${name}` })),
        ),
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
