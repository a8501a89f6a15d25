/**
 * The fewest networks that hold exactly the same addresses: sorted, without overlap, neighbours joined. One meaning
 * has one spelling (law 4), and nft 1.0.6 refuses an interval set whose elements overlap.
 */
import { networksOf, spansOf } from "./spans.ts";

/** Takes canonical addresses and networks. */
export const minimalNetworks = (texts: readonly string[]): string[] => networksOf(spansOf(texts));
