/**
 * Base chains of others that make our accept moot: a drop is final at any priority, so a packet that nothing else
 * decides and that such a chain ends is lost, whatever our table says (nft(8), "an accept verdict isn't final").
 * Reads names, policies and unconditional verdicts only; what it cannot read counts as a condition, so that nothing is
 * named on a guess. Never a reason to touch what is somebody else's.
 */
import * as z from "zod";
import { ForeignDrop } from "#schema/wire.ts";
import { printable } from "#agent/machine/refusal.ts";

type Json = Readonly<Record<string, unknown>>;
/** As cheap as it gets: others may have many rules. */
const Json = z.custom<Json>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
);

const Family = ForeignDrop.shape.family;
const Chain = z.object({
  family: Family,
  table: z.string(),
  name: z.string(),
  hook: ForeignDrop.shape.hook.optional().catch(undefined),
  prio: z.int().optional(),
  policy: z.string().optional(),
});
type Chain = z.infer<typeof Chain>;
const Rule = z.object({
  family: Family,
  table: z.string(),
  chain: z.string(),
  expr: z.array(Json),
});
const Target = z.object({ target: z.string() });

/** What becomes of a packet that matches nothing; `open` when the chain does not decide. */
type Fate = "accept" | "drop" | "open";

const foreignDropsMax = 20;

/** @param entries of nft's JSON listing, none of them ours. @returns at every hook, in the listing's order */
export function listDroppingChains(entries: readonly Json[]): readonly ForeignDrop[] {
  const bases = entries
    .map((entry) => Chain.safeParse(entry["chain"]).data)
    .filter((chain) => chain?.hook !== undefined)
    .filter((chain) => chain !== undefined);
  if (bases.length === 0) return [];
  const fateOf = makeFates(entries);
  return bases.flatMap((chain) => describeDrops(chain, fateOf(keyOf(chain, chain.name))));
}

/** Those at the hooks where our table has a chain: of what another hook drops we accept nothing. At most 20. */
export const besideOurs = (
  drops: readonly ForeignDrop[],
  chains: readonly { readonly hook?: string | undefined }[],
): readonly ForeignDrop[] =>
  drops.filter(({ hook }) => chains.some((chain) => chain.hook === hook)).slice(0, foreignDropsMax);

function describeDrops(
  { family, table, name, hook, prio, policy }: Chain,
  fate: Fate,
): readonly ForeignDrop[] {
  if (hook === undefined || fate === "accept" || (fate === "open" && policy !== "drop")) return [];
  const by = fate === "drop" ? "rule" : "policy";
  return [
    { family, table: formatName(table), chain: formatName(name), hook, priority: prio ?? 0, by },
  ];
}

const formatName = (name: string): string => printable(name).slice(0, 128);

const keyOf = (owner: { readonly family: string; readonly table: string }, chain: string): string =>
  JSON.stringify([owner.family, owner.table, chain]);

/** Follows unconditional jumps; the kernel admits no loop, and a listing that has one ends in `open`. */
function makeFates(entries: readonly Json[]): (chain: string) => Fate {
  const decisions = new Map<string, Decision[]>();
  for (const entry of entries) {
    const rule = Rule.safeParse(entry["rule"]).data;
    const decision = rule === undefined ? undefined : findUnconditional(rule.expr);
    if (rule === undefined || decision === undefined) continue;
    const key = keyOf(rule, rule.chain);
    const target = decision.target === undefined ? undefined : keyOf(rule, decision.target);
    const list = decisions.get(key) ?? [];
    list.push({ kind: decision.kind, target });
    decisions.set(key, list);
  }
  const known = new Map<string, Fate>();
  const fateOf = (chain: string): Fate => {
    const before = known.get(chain);
    if (before !== undefined) return before;
    known.set(chain, "open");
    const fate = findFirst(decisions.get(chain) ?? [], fateOf);
    known.set(chain, fate);
    return fate;
  };
  return fateOf;
}

function findFirst(decisions: readonly Decision[], fateOf: (chain: string) => Fate): Fate {
  for (const { kind, target } of decisions) {
    if (kind === "accept" || kind === "drop") return kind;
    if (kind === "return") return "open";
    const fate = target === undefined ? "open" : fateOf(target);
    if (fate !== "open" || kind === "goto") return fate;
  }
  return "open";
}

interface Decision {
  readonly kind: "accept" | "drop" | "return" | "jump" | "goto";
  /** Of a jump: a chain's key. */
  readonly target: string | undefined;
}

/** Statements that let every packet pass on to the next one. */
const passing: ReadonlySet<string> = new Set(["counter", "log", "mangle"]);

/** @returns undefined for a rule with a condition, or without a verdict; `target` is a chain's name */
function findUnconditional(expr: readonly Json[]): Decision | undefined {
  for (const [kind, value] of expr.flatMap((statement) => Object.entries(statement))) {
    if (passing.has(kind)) continue;
    if (kind === "accept" || kind === "return" || kind === "drop")
      return { kind, target: undefined };
    if (kind === "reject") return { kind: "drop", target: undefined };
    if (kind === "jump" || kind === "goto")
      return { kind, target: Target.safeParse(value).data?.target };
    return undefined;
  }
  return undefined;
}

/** For people: `ip filter INPUT, priority 0, policy drop`. */
export const describeDropping = ({ family, table, chain, priority, by }: ForeignDrop): string =>
  `${family} ${table} ${chain}, priority ${priority}, ${by === "policy" ? "policy drop" : "a last rule that drops"}`;
