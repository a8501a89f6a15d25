/**
 * A program: one host's ruleset as objects of the nftables table `inet portcullis`, and the inventory of what that
 * table holds in a kernel. A program names everything it owns, so that an apply can delete what it no longer owns and
 * a readback can tell any difference.
 */
import type { Family } from "#schema/address.ts";
import type { NftText } from "./quote.ts";

export const rendererVersion = "nft-3";

/** The one table that is ours. Nothing outside it is ever named. */
export const table = { family: "inet", name: "portcullis" } as const;

/** In the order in which everything is printed. */
export const families = ["v4", "v6"] as const satisfies readonly Family[];

export type Decision =
  | { readonly kind: "accept" | "drop" | "reject" }
  | { readonly kind: "jump" | "goto"; readonly chain: string }
  | { readonly kind: "vmap"; readonly map: string }
  /** Counts, and goes on with the next rule. */
  | { readonly kind: "continue" };

/** One nft rule, with what a readback compares: the counters and sets it names, and what it decides. */
export interface Line {
  readonly text: NftText;
  readonly counters: readonly string[];
  readonly sets: readonly string[];
  readonly decision: Decision;
  /** Of a rule that lets packets pass for a while: Unix seconds from which on it does not. */
  readonly until?: number;
}

export interface Hook {
  readonly hook: "input" | "forward" | "output";
  readonly policy: "accept" | "drop";
}

export interface Chain {
  readonly name: string;
  readonly hook: Hook | null;
  readonly lines: readonly Line[];
}

/** `addresses` is a hash; `networks` an interval set; `pairs` a hash of masked source . masked destination. */
export interface KernelSet {
  readonly name: string;
  readonly family: Family;
  readonly kind: "addresses" | "networks" | "pairs";
  /** Ready to print, in the order of the ruleset. */
  readonly elements: readonly NftText[];
}

export type KeyPart = "ipv4_addr" | "ipv6_addr" | "inet_proto" | "inet_service";

/** Key → jump to a chain; a hash. A key of several parts is their concatenation, ready to print as `a . b`. */
export interface KernelMap {
  readonly name: string;
  readonly type: readonly KeyPart[];
  readonly elements: readonly { readonly key: NftText; readonly chain: string }[];
}

/** What some rules need in the kernel. */
export interface Fragment {
  readonly lines: readonly Line[];
  readonly chains: readonly Chain[];
  readonly maps: readonly KernelMap[];
}

export interface Program {
  readonly backend: "nft";
  readonly counters: readonly string[];
  readonly sets: readonly KernelSet[];
  readonly maps: readonly KernelMap[];
  readonly chains: readonly Chain[];
}

export type Rendered =
  | { readonly ok: true; readonly program: Program }
  | { readonly ok: false; readonly code: "render_unsupported"; readonly message: string };

/**
 * What our table holds now, by name. `shape` says what cannot be changed by declaring an object again: a set's type
 * and flags, a chain's hook and priority. `foreign` is true when the table holds a kind of object that we never make.
 */
export interface Inventory {
  readonly chains: readonly Shaped[];
  readonly sets: readonly Shaped[];
  readonly maps: readonly Shaped[];
  readonly counters: readonly string[];
  readonly foreign: boolean;
}
export interface Shaped {
  readonly name: string;
  readonly shape: string;
}

export const emptyInventory: Inventory = {
  chains: [],
  sets: [],
  maps: [],
  counters: [],
  foreign: false,
};

export const addressTypes = { v4: "ipv4_addr", v6: "ipv6_addr" } as const satisfies Record<
  Family,
  KeyPart
>;

/** nft's type expression of a set's key. */
export const keyType = (set: Pick<KernelSet, "family" | "kind">): string =>
  set.kind === "pairs"
    ? `${addressTypes[set.family]} . ${addressTypes[set.family]}`
    : addressTypes[set.family];

const setShape = (set: KernelSet): string =>
  set.kind === "networks" ? `${keyType(set)} interval` : keyType(set);

/** nft's type expression of a map. */
export const mapShape = (map: KernelMap): string => `${map.type.join(" . ")} : verdict`;

/** One before `filter`, so that a later chain of the host's can still narrow what we accept. */
export const hookPriority = -10;

const chainShape = (chain: Chain): string =>
  chain.hook === null ? "" : `filter ${chain.hook.hook} ${hookPriority}`;

/** The inventory of a kernel that holds exactly this program. */
export const inventoryOf = (program: Program): Inventory => ({
  chains: program.chains.map((chain) => ({ name: chain.name, shape: chainShape(chain) })),
  sets: program.sets.map((set) => ({ name: set.name, shape: setShape(set) })),
  maps: program.maps.map((map) => ({ name: map.name, shape: mapShape(map) })),
  counters: program.counters,
  foreign: false,
});
