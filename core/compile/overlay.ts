/**
 * One overlay as rules: what DESIGN §12 "What overlay rules mean" says, and nothing else.
 *
 * Members appear as elements only, one in the class map and one in their group's set per address, so the rules depend
 * on the declared groups and a member's move changes no rule. Relies on diagnosed intent; never drops a row.
 */
import type { Member, Overlay, OverlayPolicy } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import type { Direction, Rule, Ruleset } from "#schema/ruleset.ts";
import { scopeId, widest } from "#schema/ruleset.ts";
import { classMapName, groupClass, groupSet, overlayRows, rowCounter } from "./names.ts";
import { sortAddresses } from "#schema/address.ts";

/** An overlay with its key and its members, as the compiler reads it. */
export interface OverlayIntent {
  readonly key: string;
  readonly body: Overlay;
  readonly members: readonly Member[];
}

type Policy = Pick<Ruleset, "sets" | "classes" | "rules">;

const nothing: Policy = { sets: [], classes: [], rules: [] };

export function compileOverlay(overlay: OverlayIntent): Ruleset {
  const { key, body } = overlay;
  const policy = policies[body.policy](overlay);
  const { policy: isolated, egress, ingress } = overlayRows;
  return {
    scopes: [
      {
        kind: "overlay",
        name: key,
        interfaces: body.interfaces.toSorted(compareText),
        subnets: sortAddresses(body.subnets),
      },
    ],
    sets: policy.sets,
    classes: policy.classes,
    rules: [
      ...policy.rules,
      rule(key, "peer", isolated(key), { verdict: "drop" }),
      rule(key, "out", egress(key), { verdict: "drop" }),
      rule(key, "in", ingress(key), { verdict: "drop" }),
    ],
  };
}

const policies = {
  "same-subnet": ({ key }: OverlayIntent): Policy => ({
    ...nothing,
    rules: [
      rule(key, "peer", overlayRows.sameSubnet(key), {
        destination: { kind: "source-subnet" },
        verdict: "accept",
      }),
    ],
  }),
  "group-based": (overlay: OverlayIntent): Policy => compileGroups(overlay),
  "full-isolation": (): Policy => nothing,
} satisfies Record<OverlayPolicy, (overlay: OverlayIntent) => Policy>;

function compileGroups({ key, body, members }: OverlayIntent): Policy {
  const groups = body.groups.toSorted(compareText);
  const addresses = Map.groupBy(
    members.flatMap((member) =>
      member.addresses.map((address) => ({ address, group: member.group })),
    ),
    (entry) => entry.group,
  );
  const map = classMapName(key);
  return {
    sets: groups.map((group) => ({
      name: groupSet(key, group),
      kind: "addresses",
      elements: sortAddresses((addresses.get(group) ?? []).map((entry) => entry.address)),
    })),
    classes: [
      {
        name: map,
        classes: groups
          .map((group) => ({ name: groupClass(key, group), set: groupSet(key, group) }))
          .toSorted((a, b) => compareText(a.name, b.name)),
      },
    ],
    rules: groups.map((group) =>
      rule(key, "peer", overlayRows.group(key, group), {
        source: { kind: "class", map, class: groupClass(key, group) },
        destination: { kind: "set", set: groupSet(key, group) },
        verdict: "accept",
      }),
    ),
  };
}

type Matches = Partial<Pick<Rule, "source" | "destination">> & Pick<Rule, "verdict">;

/** Stateless on purpose: a removed member is cut at once, without touching conntrack. */
const rule = (overlay: string, direction: Direction, row: string, matches: Matches): Rule => ({
  ...widest,
  row,
  scope: scopeId({ kind: "overlay", name: overlay, interfaces: [], subnets: [] }),
  section: matches.verdict === "accept" ? "grant" : "end",
  direction,
  counter: rowCounter(row),
  ...matches,
});
