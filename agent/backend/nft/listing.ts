/**
 * What nft's JSON listing says about our own table. Only that table is read; of everybody else's objects, no more
 * than what apply/foreign.ts and apply/redirects.ts ask for. The shapes are those of nftables 1.0.6, libnftables-json(5).
 */
import * as z from "zod";
import type { Inventory, Shaped } from "#core/render/nft/program.ts";
import { table } from "#core/render/nft/program.ts";
import type { ForeignDrop } from "#schema/wire.ts";
import { listDroppingChains } from "./foreign.ts";
import { type ForeignRedirect, redirectsOf } from "./redirects.ts";

type Json = Readonly<Record<string, unknown>>;
/** Cheaper than a record of unknowns, and a listing has many. */
const Json = z.custom<Json>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
);

const Document = z.object({ nftables: z.array(Json) });
const Owned = z.object({ family: z.string(), table: z.string() });
const names = { family: z.string(), table: z.string(), name: z.string() };

const TableItem = z.object({
  family: z.string(),
  name: z.string(),
  flags: z.unknown().optional(),
});
const KeyType = z.union([z.string(), z.array(z.string())]);
const SetItem = z.object({
  ...names,
  type: KeyType,
  flags: z.array(z.string()).optional(),
  elem: z.array(z.unknown()).optional(),
});
const MapItem = SetItem.extend({ map: KeyType });
const ChainItem = z.object({
  ...names,
  type: z.string().optional(),
  hook: z.string().optional(),
  prio: z.int().optional(),
  policy: z.string().optional(),
});
const CounterItem = z.object({ ...names, packets: z.int(), bytes: z.int() });
const RuleItem = z.object({
  family: z.string(),
  table: z.string(),
  chain: z.string(),
  expr: z.array(Json),
});

export interface Listing {
  readonly exists: boolean;
  readonly sets: readonly z.infer<typeof SetItem>[];
  readonly maps: readonly z.infer<typeof MapItem>[];
  readonly chains: readonly z.infer<typeof ChainItem>[];
  readonly counters: readonly z.infer<typeof CounterItem>[];
  readonly rules: readonly z.infer<typeof RuleItem>[];
  /** Kinds of objects, or table flags, that we never make. */
  readonly foreign: readonly string[];
}

/** What tables of others do to packets that ours judges, by the last listing of them; null: not known. */
export interface Others {
  /** Chains that drop what others accept. */
  readonly drops: readonly ForeignDrop[] | null;
  readonly redirects: readonly ForeignRedirect[] | null;
  /** Why nft could not list them. Nothing of ours depends on it. */
  readonly unlisted: string | null;
}
export const unknownOthers: Others = { drops: null, redirects: null, unlisted: null };

/** Of a listing of every table, or of ours alone. @throws SyntaxError or ZodError when this is no listing of nft's */
export function parseListing(text: string): { readonly own: Listing; readonly others: Others } {
  const found = {
    exists: false,
    sets: [],
    maps: [],
    chains: [],
    counters: [],
    rules: [],
    foreign: [],
  } as Writable;
  const theirs: Json[] = [];
  for (const entry of Document.parse(JSON.parse(text)).nftables)
    for (const [kind, value] of Object.entries(entry))
      if (!gather(found, kind, value)) theirs.push(entry);
  const others = {
    drops: listDroppingChains(theirs),
    redirects: redirectsOf(theirs),
    unlisted: null,
  };
  return { own: found, others };
}

type Writable = {
  -readonly [K in keyof Listing]: Listing[K] extends readonly (infer T)[] ? T[] : Listing[K];
};

/** @returns false for an object of somebody else's */
function gather(found: Writable, kind: string, value: unknown): boolean {
  if (kind === "metainfo") return true;
  if (kind === "table") {
    gatherTable(found, value);
    return true;
  }
  const owner = Owned.safeParse(value);
  if (!owner.success || owner.data.family !== table.family || owner.data.table !== table.name)
    return false;
  gatherOwn(found, kind, value);
  return true;
}

function gatherOwn(found: Writable, kind: string, value: unknown): void {
  switch (kind) {
    case "set":
      return void found.sets.push(SetItem.parse(value));
    case "map":
      return void found.maps.push(MapItem.parse(value));
    case "chain":
      return void found.chains.push(ChainItem.parse(value));
    case "counter":
      return void found.counters.push(CounterItem.parse(value));
    case "rule":
      return void found.rules.push(RuleItem.parse(value));
    default:
      found.foreign.push(kind);
  }
}

function gatherTable(found: Writable, value: unknown): void {
  const item = TableItem.parse(value);
  if (item.family !== table.family || item.name !== table.name) return;
  found.exists = true;
  if (item.flags !== undefined) found.foreign.push("table flags");
}

const formatType = (type: z.infer<typeof KeyType>): string =>
  typeof type === "string" ? type : type.join(" . ");

const addFlags = (type: string, flags: readonly string[] | undefined): string =>
  flags === undefined || flags.length === 0 ? type : `${type} ${flags.join(" ")}`;

/** Names and shapes, in the words of #core/render/nft/program.ts. */
export const inventoryOfListing = (listing: Listing): Inventory => ({
  chains: listing.chains.map((chain): Shaped => ({
    name: chain.name,
    shape: chain.hook === undefined ? "" : `${chain.type} ${chain.hook} ${chain.prio}`,
  })),
  sets: listing.sets.map((set) => ({
    name: set.name,
    shape: addFlags(formatType(set.type), set.flags),
  })),
  maps: listing.maps.map((map) => ({
    name: map.name,
    shape: addFlags(`${formatType(map.type)} : ${formatType(map.map)}`, map.flags),
  })),
  counters: listing.counters.map((counter) => counter.name),
  foreign: listing.foreign.length > 0,
});
