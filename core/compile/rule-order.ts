/**
 * The order of accepts of one scope and direction: from `any` first, then from sets of hosts, of addresses, of networks;
 * within each by row, protocol and port. A renderer dispatches in this order, so that it and `simulate` name the same row.
 */
import { compareText } from "#schema/order.ts";
import type { NamedSet, Protocol, Rule } from "#schema/ruleset.ts";

export interface Ordered {
  readonly rule: Rule;
  /** What its source is; a class counts as addresses. */
  readonly kind: NamedSet["kind"] | "any";
}

const ranks: Readonly<Record<Ordered["kind"], number>> = {
  any: 0,
  hosts: 1,
  addresses: 2,
  networks: 3,
};

export const compareAccepts = (a: Ordered, b: Ordered): number =>
  ranks[a.kind] - ranks[b.kind] ||
  compareText(a.rule.row, b.rule.row) ||
  compareText(a.rule.protocol.kind, b.rule.protocol.kind) ||
  firstPort(a.rule.protocol) - firstPort(b.rule.protocol);

const firstPort = (protocol: Protocol): number =>
  "ports" in protocol && protocol.ports.kind === "ranges"
    ? (protocol.ports.ranges[0]?.from ?? 0)
    : 0;
