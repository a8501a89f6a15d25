/**
 * Where tables of others hand packets on to somebody else before our input chain sees them: destination translation at
 * the prerouting hook, as Docker does it for a published port. No row is asked about such a packet as the host's own, so
 * what our rules say of that port is not the whole truth. Follows jumps whatever their condition: this says what may be.
 */
import * as z from "zod";
import { printable } from "#agent/machine/refusal.ts";

type Json = Readonly<Record<string, unknown>>;

export const ForeignRedirect = z.strictObject({
  family: z.enum(["ip", "ip6", "inet"]),
  table: z.string().max(128),
  chain: z.string().max(128),
  /** Null: both. */
  protocol: z.enum(["tcp", "udp"]).nullable(),
  /** Ports as they arrive. */
  from: z.int().min(0).max(65_535),
  to: z.int().min(0).max(65_535),
  /** The destination that the rule asks for; null: any. */
  address: z.string().max(64).nullable(),
});
export type ForeignRedirect = z.infer<typeof ForeignRedirect>;

const redirectsMax = 256;

const Family = ForeignRedirect.shape.family;
const Chain = z.object({ family: Family, table: z.string(), name: z.string(), hook: z.string() });
const Rule = z.object({
  family: Family,
  table: z.string(),
  chain: z.string(),
  expr: z.array(z.record(z.string(), z.unknown())),
});
const Target = z.object({ target: z.string() });
const Xt = z.object({ type: z.literal("target"), name: z.enum(["DNAT", "REDIRECT"]) });
const Port = z.int().min(0).max(65_535);
type PortRange = readonly [from: number, to: number];
const One = z.union([
  Port.transform((port): PortRange => [port, port]),
  z.object({ range: z.tuple([Port, Port]) }).transform(({ range }): PortRange => range),
]);
const Ports = z.union([
  One.transform((one) => [one]),
  z.object({ set: z.array(One) }).transform(({ set }) => set),
]);
const Payload = z.object({ payload: z.object({ protocol: z.string(), field: z.string() }) });
const Meta = z.object({ meta: z.object({ key: z.literal("l4proto") }) });
const Match = z.object({ op: z.string(), left: z.unknown(), right: z.unknown() });

/** @param entries of nft's JSON listing. @returns in the listing's order, at most `redirectsMax` */
export function redirectsOf(entries: readonly Json[]): readonly ForeignRedirect[] {
  const starts = entries
    .map((entry) => Chain.safeParse(entry["chain"]).data)
    .filter((chain) => chain?.hook === "prerouting")
    .map((chain) => (chain === undefined ? "" : keyOf(chain, chain.name)));
  if (starts.length === 0) return [];
  const rules = entries
    .map((entry) => Rule.safeParse(entry["rule"]).data)
    .filter((rule) => rule !== undefined);
  const reached = findReachable(starts, rules);
  return rules
    .filter((rule) => reached.has(keyOf(rule, rule.chain)))
    .flatMap(listRedirects)
    .slice(0, redirectsMax);
}

const keyOf = (owner: { readonly family: string; readonly table: string }, chain: string): string =>
  JSON.stringify([owner.family, owner.table, chain]);

type Rule = z.infer<typeof Rule>;

/** Chains that a packet may come to from one of these. */
function findReachable(starts: readonly string[], rules: readonly Rule[]): ReadonlySet<string> {
  const jumps = new Map<string, string[]>();
  for (const rule of rules)
    for (const statement of rule.expr)
      for (const kind of ["jump", "goto"]) {
        const target = Target.safeParse(statement[kind]).data?.target;
        if (target === undefined) continue;
        const key = keyOf(rule, rule.chain);
        jumps.set(key, [...(jumps.get(key) ?? []), keyOf(rule, target)]);
      }
  const reached = new Set(starts);
  // A set is walked in the order in which it grows.
  for (const chain of reached) for (const target of jumps.get(chain) ?? []) reached.add(target);
  return reached;
}

/** What one rule hands on; nothing for one that translates no destination, or only that of the loopback. */
function listRedirects({ family, table, chain, expr }: Rule): readonly ForeignRedirect[] {
  if (!expr.some(translates)) return [];
  let protocol: ForeignRedirect["protocol"] = null;
  let ports: readonly PortRange[] = [[0, 65_535]];
  let address: string | null = null;
  for (const statement of expr) {
    const match = Match.safeParse(statement["match"]).data;
    if (match === undefined || (match.op !== "==" && match.op !== "in")) continue;
    const { left, right } = match;
    const payload = Payload.safeParse(left).data?.payload;
    if (Meta.safeParse(left).success) protocol = protocolOf(right) ?? protocol;
    if (payload?.field === "dport") {
      protocol = protocolOf(payload.protocol) ?? protocol;
      ports = Ports.safeParse(right).data ?? ports;
    }
    if (payload?.field === "daddr" && typeof right === "string") address = right;
  }
  if (address === "::1" || address?.startsWith("127.") === true) return [];
  const place = { family, table: formatName(table), chain: formatName(chain) };
  return ports.map(([from, to]) => ({
    ...place,
    protocol,
    from,
    to,
    address: address?.slice(0, 64) ?? null,
  }));
}

const translates = (statement: Json): boolean =>
  "dnat" in statement || "redirect" in statement || Xt.safeParse(statement["xt"]).success;

const protocolOf = (value: unknown): "tcp" | "udp" | undefined =>
  value === "tcp" || value === 6 ? "tcp" : value === "udp" || value === 17 ? "udp" : undefined;

const formatName = (name: string): string => printable(name).slice(0, 128);

/** Whether packets to a socket may be handed on. @param address of the socket; of a wildcard every one */
export function isRedirect(
  redirect: ForeignRedirect,
  {
    protocol,
    address,
    port,
  }: { readonly protocol: string; readonly address: string; readonly port: number },
): boolean {
  const v6 = address.includes(":");
  // A socket on `::` most often takes IPv4 too.
  const family =
    address === "::" || redirect.family === "inet" || (redirect.family === "ip6") === v6;
  const wild = address === "::" || address === "0.0.0.0" || redirect.address === null;
  return (
    family &&
    (redirect.protocol === null || redirect.protocol === protocol) &&
    redirect.from <= port &&
    port <= redirect.to &&
    (wild || redirect.address === address)
  );
}

/** Such as `ip nat DOCKER`. */
export const describeChain = ({ family, table, chain }: ForeignRedirect): string =>
  `${family} ${table} ${chain}`;

/** For people: `tcp 8090 by ip nat DOCKER`. */
export function describeRedirect(redirect: ForeignRedirect): string {
  const { protocol, from, to, address } = redirect;
  const ports =
    from === 0 && to === 65_535 ? "every port" : from === to ? `${from}` : `${from}-${to}`;
  const where = address === null ? "" : ` of ${address}`;
  return `${protocol === null ? "" : `${protocol} `}${ports}${where} by ${describeChain(redirect)}`;
}
