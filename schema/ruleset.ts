/**
 * One host's abstract rules: the compiler's output, every renderer's input, and what is signed.
 *
 * Rules are complete, typed and closed, so that an agent applies them without asking why: every match is a closed
 * union, and a renderer that cannot express a member of one refuses the whole ruleset (law 1).
 * Membership is data: sets and class maps. Adding a member changes elements, never rules.
 *
 * Meaning, for `simulate` and every renderer alike:
 * - `host` scope judges the host's own traffic: `in` arrives for it, `out` leaves from it. Without it nothing gets in
 *   but what always passes, and a guard refuses the ruleset.
 * - An `overlay` scope judges forwarded packets only: `peer` came in and leaves by the overlay's interfaces, `out`
 *   came in by one and leaves elsewhere, `in` came from elsewhere.
 * - A `network` scope is a bridge with containers: `out` came in by it and leaves elsewhere, `in` came from elsewhere.
 *   Between its members `inside` decides and no rule; with `egress: "none"` nothing leaves it, whatever rules say.
 * - A `vnic` scope judges what its guest sends (`out`) and is sent (`in`), where it is bridged and where it is routed.
 *   With mode `passthrough` nothing is judged; `l2overlay` holds its guest to its MAC alone, `securitygroup` to its
 *   addresses too: another source is spoofed and dropped before a rule is asked.
 * - A `zone-pair` scope judges what is forwarded from an interface of one zone to an interface of another: `peer`.
 * - A packet that several scopes judge needs `accept` from each: first from what it leaves, then from the pair of zones,
 *   then from what it enters. A packet that touches no scope is left alone.
 * - An overlay also says where its addresses are. What came by one of its interfaces with a source outside its subnets,
 *   or by another interface with a source inside them, is spoofed and dropped: of what is forwarded before a rule is
 *   asked, where either interface is an overlay's; of what comes in after what always passes (schema/always.ts). The
 *   sources of `anyArrival` are nobody's and everybody's, and never spoofed.
 * - Within one scope and direction rules stand in sections: `deny`, which only drops, then `grant`, which only accepts,
 *   then `end`, which refuses what is left, each its own way; its last rule matches everything, and that one may accept.
 *   The first rule that matches decides. So what a direction accepts is the union of its grants without the union of its
 *   denies, and no packet is ever undecided.
 * - A rule matches from `from` on and until before `expires`. A packet beyond a grant's `rate` does not match it.
 * - Layer `l3` sees IP packets, `l2` every frame; `l2` is a vNIC's alone, as are `arp` and `nd`.
 * - A set or class without elements matches nothing.
 */
import type * as z from "zod";
import { type Ruleset as Shape, RulesetShape } from "./rule.ts";
import { findInconsistencies } from "./ruleset-check.ts";

export * from "./match.ts";
export * from "./rule.ts";

export type Ruleset = Shape;

/** Of a ruleset that was made by machine for each of its million elements to be wrong. */
const inconsistenciesMax = 100;

/** Sets and class maps sorted by name, scopes by id, rules in order of evaluation within one scope and direction. */
export const Ruleset: z.ZodType<Ruleset> = RulesetShape.check((ctx) => {
  for (const { path, message } of findInconsistencies(ctx.value)) {
    ctx.issues.push({ code: "custom", input: ctx.value, path: [...path], message });
    if (ctx.issues.length >= inconsistenciesMax) return;
  }
});

export const emptyRuleset: Ruleset = { scopes: [], sets: [], classes: [], rules: [] };
