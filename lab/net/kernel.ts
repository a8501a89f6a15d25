/** What a namespace's kernel holds in our table, read with nft: evidence that does not pass through the agent. */
import { createHash } from "node:crypto";
import * as z from "zod";
import { run } from "#lab/run/process.ts";

export interface KernelTable {
  /** SHA-256 of the stateless listing: rules and elements, no packet counts. */
  readonly digest: string;
  readonly rules: number;
  readonly elements: number;
}

const Container = z.object({ elem: z.array(z.unknown()).default([]) });
const Listing = z.object({
  nftables: z.array(
    z.object({
      rule: z.unknown().optional(),
      set: Container.optional(),
      map: Container.optional(),
    }),
  ),
});

/** @returns undefined when the namespace holds no table of ours */
export async function readKernel(namespace: string): Promise<KernelTable | undefined> {
  const nft = ["ip", "netns", "exec", namespace, "nft"];
  const table = ["list", "table", "inet", "portcullis"];
  const text = await run([...nft, "-s", ...table]);
  if (text.code !== 0) return undefined;
  const json = await run([...nft, "-j", ...table]);
  const { nftables } = Listing.parse(JSON.parse(json.stdout));
  const containers = nftables
    .flatMap(({ set, map }) => [set, map])
    .filter((found) => found !== undefined);
  return {
    digest: createHash("sha256").update(text.stdout).digest("hex"),
    rules: nftables.filter(({ rule }) => rule !== undefined).length,
    elements: containers.reduce((sum, { elem }) => sum + elem.length, 0),
  };
}
