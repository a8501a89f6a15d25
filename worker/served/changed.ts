/** Which of some hosts are to be served other bytes than they are. Reads what is served; writes nothing. */
import { compareText } from "#schema/order.ts";
import type { Sql } from "#worker/ports/index.ts";
import { bundleOf } from "#worker/signing/index.ts";
import type { Content } from "./content.ts";
import { readServedBundles } from "./commit-rows.ts";

/** A host whose bundle changes. */
export interface ChangingHost extends Content {
  readonly host: string;
  readonly bundle_sha256: string;
  /** Digest of the bundle that it is served now; undefined for a first one. */
  readonly served: string | undefined;
}

/** Those whose bundle is not the one they are served. A host that was never served anything is not told to close. */
export async function findChanged(
  sql: Sql,
  hosts: readonly string[],
  content: (host: string) => Content,
): Promise<readonly ChangingHost[]> {
  const served = await readServedBundles(sql, hosts);
  const changing: ChangingHost[] = [];
  for (const host of hosts.toSorted(compareText)) {
    const wanted = content(host);
    const { sha256 } = await bundleOf(host, wanted.ruleset);
    const now = served.get(host);
    if (now !== sha256 && (now !== undefined || wanted.mode === "enforce"))
      changing.push({ host, ...wanted, bundle_sha256: sha256, served: now });
  }
  return changing;
}
