/**
 * What people declare. Host-independent; one type per kind; every type is strict, so an unknown field is refused.
 *
 * A row's key is text: `web1`, or `office/alice` for a kind that lives under a parent. Parts cannot contain `/`.
 */
import * as z from "zod";
import { macroNames } from "./macros.ts";
import {
  Address,
  Cidr,
  CommonName,
  InterfaceName,
  Key,
  list,
  Name,
  Note,
  Port,
  Revision,
  makeTable,
  textUpTo,
  unique,
} from "./primitives.ts";
import { SourceExpression, TargetExpression } from "./source.ts";
import { parseUnixSeconds } from "./time.ts";

/**
 * A machine with an agent. Addresses are intent: they are declared here, never learned from a report.
 * Roles say what it is for: a service's rules go to the hosts that fill its role. Labels are for people and rollouts.
 */
export const Host = z.strictObject({
  addresses: unique(Address, { max: 64 }).default([]),
  roles: unique(Name, { max: 64 }).default([]),
  labels: makeTable(
    Key,
    z.string().regex(/^[A-Za-z0-9._-]{0,63}$/, { error: "expected a label value" }),
    {
      max: 64,
    },
  ).default({}),
});
export type Host = z.infer<typeof Host>;

/** A named network: what `from: lan` means. Without a CIDR it matches nothing. */
export const Zone = z.strictObject({
  cidrs: unique(Cidr, { max: 1000 }).default([]),
});
export type Zone = z.infer<typeof Zone>;

const expectedPort = "expected a port from 1 to 65535 or a range such as 8000-8010";
const PortExpression = z
  .union([Port, textUpTo("65535-65535".length)], { error: expectedPort })
  .check((ctx) => {
    if (parsePortRange(ctx.value) === undefined)
      ctx.issues.push({ code: "custom", input: ctx.value, message: expectedPort });
  });

/** First and last port of a port expression; undefined when it is none, or reversed. */
export function parsePortRange(
  value: number | string,
): { readonly from: number; readonly to: number } | undefined {
  const match = /^([1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?$/.exec(String(value));
  if (match === null) return undefined;
  const from = Number(match[1]);
  const to = Number(match[2] ?? match[1]);
  return from <= to && to <= 65_535 ? { from, to } : undefined;
}

const expectedTime = "expected a UTC time such as 2026-12-31T23:59:59Z, from 1970 to 2262";

/**
 * One grant: who may open connections to which port. Either `port` and `proto`, or a `macro`.
 * `required`: an empty source is an error, not a warning. `expires_at`: from then on it matches nothing, on the host
 * itself, even when everything else is offline.
 */
export const Ingress = z
  .strictObject({
    from: SourceExpression,
    port: PortExpression.optional(),
    proto: z.enum(["tcp", "udp"], { error: "expected tcp or udp" }).optional(),
    macro: z.enum(macroNames, { error: `expected one of ${macroNames.join(", ")}` }).optional(),
    required: z.boolean().optional(),
    expires_at: z
      .string({ error: expectedTime })
      .max("2026-12-31T23:59:59Z".length, { error: expectedTime, abort: true })
      .refine((text) => parseUnixSeconds(text) !== undefined, { error: expectedTime })
      .optional(),
    reason: Note.optional(),
  })
  .check((ctx) => {
    const { port, proto, macro } = ctx.value;
    const complete =
      macro === undefined
        ? port !== undefined && proto !== undefined
        : port === undefined && proto === undefined;
    if (!complete)
      ctx.issues.push({
        code: "custom",
        input: ctx.value,
        message: "expected either port and proto, or macro",
      });
  });
export type Ingress = z.infer<typeof Ingress>;

/** A catalog entry, for the hosts that fill the role of its own name unless `to` says otherwise. */
export const Service = z.strictObject({
  ingress: list(Ingress, { max: 1000 }),
  to: unique(TargetExpression, {
    min: 1,
    max: 64,
    tooFew: "expected at least one target",
  }).optional(),
});
export type Service = z.infer<typeof Service>;

/**
 * How an overlay's clients may reach each other.
 * `same-subnet`: when one declared subnet holds both. `group-based`: when both are in one group. `full-isolation`: never.
 */
export const OverlayPolicy = z.enum(["same-subnet", "group-based", "full-isolation"], {
  error: "expected one of same-subnet, group-based, full-isolation",
});
export type OverlayPolicy = z.infer<typeof OverlayPolicy>;

/** A VPN: the host that terminates it, its tunnel interfaces there, and the networks its clients get addresses from. */
export const Overlay = z.strictObject({
  host: Key,
  interfaces: unique(InterfaceName, { min: 1, max: 16, tooFew: "expected at least one interface" }),
  subnets: unique(Cidr, { min: 1, max: 64, tooFew: "expected at least one subnet" }),
  policy: OverlayPolicy,
  groups: unique(Key, { max: 1000 }).default([]),
});
export type Overlay = z.infer<typeof Overlay>;

/**
 * An overlay's client, keyed `overlay/cn`. Without a fixed address it matches nothing. `host`: the declared machine that
 * it is, whose addresses it may have; without one, no other row has an address of its.
 */
export const Member = z.strictObject({
  group: Key,
  addresses: unique(Address, { max: 16 }).default([]),
  host: Key.optional(),
});
export type Member = z.infer<typeof Member>;

const expectedMemberKey = "expected overlay/cn";
const MemberKey = z
  .string({ error: expectedMemberKey })
  .max(128, { error: expectedMemberKey, abort: true })
  .check((ctx) => {
    const { overlay, cn } = splitMemberKey(ctx.value);
    if (!Key.safeParse(overlay).success || !CommonName.safeParse(cn).success)
      ctx.issues.push({ code: "custom", input: ctx.value, message: expectedMemberKey });
  });

export function splitMemberKey(key: string): { readonly overlay: string; readonly cn: string } {
  const slash = key.indexOf("/");
  return slash < 0
    ? { overlay: "", cn: key }
    : { overlay: key.slice(0, slash), cn: key.slice(slash + 1) };
}

export const memberKey = (overlay: string, cn: string): string => `${overlay}/${cn}`;

/** All kinds of intent: the one table that everything about kinds is derived from. */
export const kinds = {
  host: { key: Name, body: Host },
  member: { key: MemberKey, body: Member },
  overlay: { key: Key, body: Overlay },
  service: { key: Name, body: Service },
  zone: { key: Name, body: Zone },
} as const;

export type Kind = keyof typeof kinds;
export interface Bodies {
  readonly host: Host;
  readonly member: Member;
  readonly overlay: Overlay;
  readonly service: Service;
  readonly zone: Zone;
}

const put = <K extends Kind>(kind: K) =>
  z.strictObject({
    op: z.literal("put"),
    kind: z.literal(kind),
    key: kinds[kind].key,
    body: kinds[kind].body as (typeof kinds)[K]["body"],
  });
const remove = <K extends Kind>(kind: K) =>
  z.strictObject({ op: z.literal("delete"), kind: z.literal(kind), key: kinds[kind].key });

/** One change to one row. `put` gives the whole body; there is no partial update. */
export const Change = z.discriminatedUnion("op", [
  z.discriminatedUnion("kind", [
    put("host"),
    put("member"),
    put("overlay"),
    put("service"),
    put("zone"),
  ]),
  z.discriminatedUnion("kind", [
    remove("host"),
    remove("member"),
    remove("overlay"),
    remove("service"),
    remove("zone"),
  ]),
]);
export type Change = z.infer<typeof Change>;

/** `now`: hosts get it as it is committed. `staged`: nobody gets it before a rollout brings it. */
export const ReleaseTime = z.enum(["now", "staged"], { error: "expected now or staged" });
export type ReleaseTime = z.infer<typeof ReleaseTime>;

/**
 * A commit: all of it or nothing. With `parent` it is refused (412) unless that revision is still head.
 * `on_behalf_of` is a claim by the caller and is stored apart from the authenticated author.
 */
export const Commit = z.strictObject({
  parent: Revision.optional(),
  message: Note,
  on_behalf_of: Note.optional(),
  source: Key.default("api"),
  /** Hosts that get their bundle although the guard they reported refuses it: guards change where they stand. */
  allow_guard_refusals: unique(Key, { max: 10_000 }).optional(),
  release: ReleaseTime.default("now"),
  changes: list(Change, { min: 1, max: 10_000, tooFew: "expected at least one change" }),
});
export type Commit = z.infer<typeof Commit>;

/**
 * All intent at one revision, the compiler's only input. Maps are keyed by row key and ordered by code point,
 * whatever order the rows were written in.
 */
export interface Snapshot {
  readonly revision: number;
  readonly hosts: ReadonlyMap<string, Host>;
  readonly overlays: ReadonlyMap<string, Overlay>;
  readonly members: ReadonlyMap<string, Member>;
  readonly services: ReadonlyMap<string, Service>;
  readonly zones: ReadonlyMap<string, Zone>;
}
