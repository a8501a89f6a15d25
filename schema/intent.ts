/**
 * What people declare. Host-independent; one type per kind; every type is strict, so an unknown field is refused.
 *
 * A row's key is text: `web1`, or `office/alice` for a kind that lives under a parent. Parts cannot contain `/`.
 */
import * as z from "zod";
import { Address, Cidr, CommonName, InterfaceName, Key, Note, Revision, unique } from "./primitives.ts";

/** A machine with an agent. Addresses are intent: they are declared here, never learned from a report. */
export const Host = z.strictObject({
  addresses: unique(Address).max(64).default([]),
});
export type Host = z.infer<typeof Host>;

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
  interfaces: unique(InterfaceName).min(1, { error: "expected at least one interface" }).max(16),
  subnets: unique(Cidr).min(1, { error: "expected at least one subnet" }).max(64),
  policy: OverlayPolicy,
  groups: unique(Key).max(1000).default([]),
});
export type Overlay = z.infer<typeof Overlay>;

/** An overlay's client, keyed `overlay/cn`. Without a fixed address it matches nothing. */
export const Member = z.strictObject({
  group: Key,
  addresses: unique(Address).max(16).default([]),
});
export type Member = z.infer<typeof Member>;

const expectedMemberKey = "expected overlay/cn";
const MemberKey = z.string({ error: expectedMemberKey }).check((ctx) => {
  const { overlay, cn } = splitMemberKey(ctx.value);
  if (!Key.safeParse(overlay).success || !CommonName.safeParse(cn).success)
    ctx.issues.push({ code: "custom", input: ctx.value, message: expectedMemberKey });
});

export function splitMemberKey(key: string): { readonly overlay: string; readonly cn: string } {
  const slash = key.indexOf("/");
  return slash < 0 ? { overlay: "", cn: key } : { overlay: key.slice(0, slash), cn: key.slice(slash + 1) };
}

export const memberKey = (overlay: string, cn: string): string => `${overlay}/${cn}`;

/** All kinds of intent: the one table that everything about kinds is derived from. */
export const kinds = {
  host: { key: Key, body: Host },
  member: { key: MemberKey, body: Member },
  overlay: { key: Key, body: Overlay },
} as const;

export type Kind = keyof typeof kinds;
export interface Bodies {
  readonly host: Host;
  readonly member: Member;
  readonly overlay: Overlay;
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
  z.discriminatedUnion("kind", [put("host"), put("member"), put("overlay")]),
  z.discriminatedUnion("kind", [remove("host"), remove("member"), remove("overlay")]),
]);
export type Change = z.infer<typeof Change>;

/**
 * A commit: all of it or nothing. With `parent` it is refused (412) unless that revision is still head.
 * `on_behalf_of` is a claim by the caller and is stored apart from the authenticated author.
 */
export const Commit = z.strictObject({
  parent: Revision.optional(),
  message: Note,
  on_behalf_of: Note.optional(),
  source: Key.default("api"),
  changes: z.array(Change).min(1, { error: "expected at least one change" }).max(10_000),
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
}
