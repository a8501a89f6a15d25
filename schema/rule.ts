/**
 * The parts of a ruleset, each well-typed by itself: scopes, sets, class maps, rules. What they mean, and what holds
 * between them, stands in schema/ruleset.ts.
 */
import * as z from "zod";
import {
  Arrives,
  Destination,
  matchBounds,
  ObjectName,
  Protocol,
  Rate,
  Source,
  State,
} from "./match.ts";
import { Address, AddressOrCidr, Cidr, InterfaceName, Key, list, unique } from "./primitives.ts";
import { unixSecondsMax } from "./time.ts";

/**
 * Most items of each list of a ruleset. No bundle of 4 MiB (`sizeLimits` in schema/bundle.ts) that means something comes
 * near; what a host takes of them is its guard's to say.
 */
export const rulesetBounds = {
  scopes: 1_024,
  interfaces: 1_024,
  subnets: 1_024,
  sets: 65_536,
  elements: 1_048_576,
  maps: 1_024,
  classes: 65_536,
  /** Of all class maps together: one set may be named by many. */
  members: 262_144,
  rules: 65_536,
  ranges: matchBounds.ranges,
} as const;

/** The intent row a rule came from, such as `overlays/office#group/dev`. */
export const RowId = z
  .string()
  .regex(/^[a-z]{1,63}\/[A-Za-z0-9._@+/-]{1,200}(#[A-Za-z0-9._@+/-]{1,200})?$/, {
    error: "expected a row id",
  });

/** A MAC address (EUI-48) as Linux prints it. */
const Mac = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, {
  error: "expected a MAC address such as 52:54:00:12:34:56",
  abort: true,
});

const Devices = unique(InterfaceName, { min: 1, max: rulesetBounds.interfaces });

export const HostScope = z.strictObject({ kind: z.literal("host") });
export const OverlayScope = z.strictObject({
  kind: z.literal("overlay"),
  name: Key,
  interfaces: Devices,
  subnets: unique(Cidr, { min: 1, max: rulesetBounds.subnets }),
});

/** What rules are about. A hook without a declared scope gets no chain. */
export const Scope = z.discriminatedUnion("kind", [
  HostScope,
  OverlayScope,
  z.strictObject({
    kind: z.literal("vnic"),
    name: Key,
    device: InterfaceName,
    /** null: its device is routed. */
    bridge: InterfaceName.nullable(),
    mac: Mac,
    addresses: unique(Address, { max: rulesetBounds.subnets }),
    mode: z.enum(["securitygroup", "passthrough", "l2overlay"]),
  }),
  z.strictObject({
    kind: z.literal("network"),
    name: Key,
    bridge: InterfaceName,
    subnets: unique(Cidr, { min: 1, max: rulesetBounds.subnets }),
    inside: z.enum(["open", "isolated"]),
    egress: z.enum(["masquerade", "routed", "none"]),
  }),
  z.strictObject({
    kind: z.literal("zone-pair"),
    from: Key,
    to: Key,
    interfaces: z.strictObject({ from: Devices, to: Devices }),
  }),
]);
export type Scope = z.infer<typeof Scope>;

/** Scope reference in a rule: `host`, `overlay/<name>`, `vnic/<name>`, `network/<name>` or `zone-pair/<from>/<to>`. */
export const scopeId = (scope: Scope): string =>
  scope.kind === "host"
    ? scope.kind
    : scope.kind === "zone-pair"
      ? `${scope.kind}/${scope.from}/${scope.to}`
      : `${scope.kind}/${scope.name}`;

/** Devices that one scope alone judges. */
export function listOwnDevices(scope: Scope): readonly string[] {
  switch (scope.kind) {
    case "overlay":
      return scope.interfaces;
    case "vnic":
      return [scope.device];
    case "network":
      return [scope.bridge];
    case "host":
    case "zone-pair":
      return [];
  }
}

/** Longest scope reference: two keys and `zone-pair`. */
const scopeIdMax = 140;

/**
 * Named addresses or networks: sorted, minimal, without overlap. `addresses` and `hosts` are exact matches (a hash in
 * the kernel); `hosts` are few, so a renderer may multiply them by ports for one look-up instead of two.
 */
export const NamedSet = z.strictObject({
  name: ObjectName,
  kind: z.enum(["addresses", "hosts", "networks"]),
  elements: list(AddressOrCidr, { max: rulesetBounds.elements }),
});
export type NamedSet = z.infer<typeof NamedSet>;

/**
 * Source → class, by the set of each class: one address is in one class at most, so dispatch is one lookup however many
 * classes there are. The sets hold addresses, and no address stands in two of them.
 */
export const ClassMap = z.strictObject({
  name: ObjectName,
  classes: list(z.strictObject({ name: ObjectName, set: ObjectName }), {
    max: rulesetBounds.classes,
  }),
});
export type ClassMap = z.infer<typeof ClassMap>;

export const Direction = z.enum(["peer", "in", "out"]);
export type Direction = z.infer<typeof Direction>;

export const Verdict = z.enum(["accept", "drop", "reject"]);
export type Verdict = z.infer<typeof Verdict>;

/** In this order in each scope and direction. */
export const Section = z.enum(["deny", "grant", "end"]);
export type Section = z.infer<typeof Section>;

export const UnixSeconds = z.int().min(0).max(unixSecondsMax);

export const Rule = z.strictObject({
  row: RowId,
  scope: z.string().max(scopeIdMax),
  section: Section,
  layer: z.enum(["l2", "l3"]),
  direction: Direction,
  arrives: Arrives,
  protocol: Protocol,
  source: Source,
  destination: Destination,
  state: State,
  verdict: Verdict,
  counter: ObjectName,
  /** Unix seconds before which the rule matches nothing; null: from the start. */
  from: UnixSeconds.nullable(),
  /** Unix seconds from which on the rule matches nothing, whoever is offline; null: never. */
  expires: UnixSeconds.nullable(),
  rate: Rate.nullable(),
  /** Whether the kernel's log hears of what it decides. */
  log: z.boolean(),
});
export type Rule = z.infer<typeof Rule>;

/** What a rule says of packets at its widest: of every packet, always, and nothing more. */
export const widest = {
  layer: "l3",
  arrives: null,
  protocol: { kind: "any" },
  source: { kind: "any" },
  destination: { kind: "any" },
  state: "any",
  from: null,
  expires: null,
  rate: null,
  log: false,
} as const satisfies Partial<Rule>;

/** Counts what came by a way that is not its source's. */
export const spoofedTally = "c_spoofed";

/**
 * Counters that every overlay on a host shares, by topology and not by verdict: between peers inside one declared
 * subnet or not, from a peer to elsewhere, from elsewhere to a peer; and what is spoofed, which is none of these.
 */
export const tallies = [
  "c_same_subnet",
  "c_cross_subnet",
  "c_egress",
  "c_ingress",
  spoofedTally,
] as const;
export type Tally = (typeof tallies)[number];

/** Unspecified and link-local sources: before a host has an address, and of each link anew. Neighbour discovery lives by them. */
export const anyArrival = ["0.0.0.0/32", "169.254.0.0/16", "::/128", "fe80::/10"] as const;

export const RulesetShape = z.strictObject({
  scopes: list(Scope, { max: rulesetBounds.scopes }),
  sets: list(NamedSet, { max: rulesetBounds.sets }),
  classes: list(ClassMap, { max: rulesetBounds.maps }),
  rules: list(Rule, { max: rulesetBounds.rules }),
});
export type Ruleset = z.infer<typeof RulesetShape>;

/** Address → class of each class map, by the map's name; of sets that the ruleset declares. */
export function mapClassMembers({
  sets,
  classes,
}: Pick<Ruleset, "sets" | "classes">): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const elements = new Map(sets.map((set) => [set.name, set.elements]));
  return new Map(
    classes.map((map) => [
      map.name,
      new Map(
        map.classes.flatMap(({ name, set }) =>
          (elements.get(set) ?? []).map((address) => [address, name] as const),
        ),
      ),
    ]),
  );
}

/** The directions of a scope that must end in a rule that matches everything. */
export const listRuledDirections = (ruleset: Ruleset, scope: Scope): readonly Direction[] =>
  listDirections(
    scope,
    ruleset.rules.some((rule) => rule.scope === "host" && rule.direction === "out"),
  );

/** @param limitsOutput whether a rule judges what the host begins */
export function listDirections(scope: Scope, limitsOutput: boolean): readonly Direction[] {
  switch (scope.kind) {
    case "host":
      return limitsOutput ? ["in", "out"] : ["in"];
    case "overlay":
      return ["peer", "out", "in"];
    case "vnic":
      return scope.mode === "passthrough" ? [] : ["out", "in"];
    case "network":
      return ["out", "in"];
    case "zone-pair":
      return ["peer"];
  }
}
