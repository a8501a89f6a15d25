/**
 * Builds one nft rule from matches, an optional counter and a decision. A match is text plus the set it looks up.
 */
import type { Decision, Line } from "./program.ts";
import { quoteIdentifier, join, quoteNft, type NftText, removeEnding } from "./quote.ts";

export interface Match {
  readonly text: NftText;
  readonly set?: string;
}

export const match = (text: NftText): Match => ({ text });

/** `<key> @set` */
export const inSet = (key: NftText, set: string): Match => ({
  text: quoteNft`${key} @${quoteIdentifier(set)}`,
  set,
});

/** `<key> != @set` */
export const outsideSet = (key: NftText, set: string): Match => ({
  text: quoteNft`${key} != @${quoteIdentifier(set)}`,
  set,
});

const decisionTexts: {
  readonly [K in Exclude<Decision["kind"], "vmap">]: (chain: string) => NftText;
} = {
  accept: () => quoteNft`accept`,
  drop: () => quoteNft`drop`,
  reject: () => quoteNft`reject with icmpx admin-prohibited`,
  jump: (chain) => quoteNft`jump ${quoteIdentifier(chain)}`,
  goto: (chain) => quoteNft`goto ${quoteIdentifier(chain)}`,
  continue: () => quoteNft``,
};

/** One rule; with `counter` it counts by that name before it decides. */
export function makeLine(
  matches: readonly Match[],
  counter: string | null,
  decision: Exclude<Decision, { readonly kind: "vmap" }>,
  verdictText: NftText = decisionTexts[decision.kind]("chain" in decision ? decision.chain : ""),
): Line {
  const counting = counter === null ? [] : [quoteNft`counter name "${quoteIdentifier(counter)}"`];
  const parts = [...matches.map((m) => m.text), ...counting, verdictText].filter(
    (part) => part !== "",
  );
  return {
    text: join(parts, " "),
    counters: counter === null ? [] : [counter],
    sets: matches.flatMap((m) => (m.set === undefined ? [] : [m.set])),
    decision,
  };
}

const reset = quoteNft`reject with tcp reset`;

/** TCP learns at once from a reset; an ICMP error may be ignored (RFC 1122 §4.2.3.9). */
export const rejectReset = (matches: readonly Match[], counter: string): Line =>
  makeLine(matches, counter, { kind: "reject" }, reset);

/** The text of a refusing rule without its verdict: what it matches, and what it counts. */
export const refusedBy = (refusal: Line): NftText =>
  removeEnding(refusal.text, [decisionTexts.drop(""), decisionTexts.reject(""), reset]);

/** `<key> vmap @map`: jumps to the chain that the map gives; goes on when it gives none or that chain returns. */
export const dispatch = (key: NftText, map: string): Line => ({
  text: quoteNft`${key} vmap @${quoteIdentifier(map)}`,
  counters: [],
  sets: [],
  decision: { kind: "vmap", map },
});
