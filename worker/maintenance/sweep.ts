/**
 * What goes when its time is over: reports beside each host's last one, and bundles that nobody is served. A bounded
 * number each time, so that a minute's maintenance stays short, and more in the next.
 */
import { toHex } from "#worker/lib/encoding.ts";
import type { Ports } from "#worker/ports/index.ts";
import { type Attempt, writeAudited } from "#worker/db/audit.ts";
import { listForgettable } from "#worker/served/index.ts";
import { forgetReports } from "#worker/reports/index.ts";

const day = 86_400_000;
const reportsAtOnce = 1000;
const blobsLookedAt = 200;
/** Their bytes are held while they are removed. */
const blobsRemoved = 8;

export const sweepReports = ({ sql, clock, settings }: Ports): Promise<void> =>
  forgetReports(sql, clock.now() - settings.retention.reportDays * day, reportsAtOnce);

/**
 * Removes bundles that nobody is served and whose time is over, and audits which. Where it looks is chance, so that all
 * are looked at in time and nothing has to be remembered.
 *
 * A commit that is under way may have found such a bundle there and not stored it anew. The audit chain settles that:
 * where the commit is first, this attempt fails, runs again, finds the bundle in use and puts it back; where this is
 * first, the commit's attempt fails, runs again and stores it.
 */
export async function sweepBlobs(ports: Ports): Promise<void> {
  const { blobs, clock } = ports;
  const before = clock.now() - ports.settings.retention.blobDays * day;
  const from = toHex(crypto.getRandomValues(new Uint8Array(32)));
  const found = await blobs.list(from, blobsLookedAt);
  const rest = blobsLookedAt - found.length;
  const page = [...found, ...(rest > 0 ? await blobs.list("", rest) : [])];
  const old = [...new Set(page.filter(({ at }) => at < before).map(({ sha256 }) => sha256))];
  if (old.length > 0) await remove(ports, old, before);
}

async function remove(ports: Ports, old: readonly string[], before: number): Promise<void> {
  const { sql, blobs, clock } = ports;
  const removed = new Map<string, Uint8Array<ArrayBuffer>>();
  const putBack = async (spared: (sha256: string) => boolean): Promise<void> => {
    for (const [sha256, bytes] of removed) if (spared(sha256)) await blobs.put(sha256, bytes);
  };
  const attempt = async (): Promise<Attempt<void>> => {
    const found = await listForgettable(sql, old, before);
    await putBack((sha256) => !found.has(sha256));
    const bundles = [...found].slice(0, blobsRemoved);
    if (bundles.length === 0) return { write: false, result: undefined };
    for (const sha256 of bundles) {
      // A damaged one cannot be read, nor put back: who needs its content stores it anew.
      const bytes = removed.get(sha256) ?? (await blobs.get(sha256).catch(() => undefined));
      if (bytes !== undefined) removed.set(sha256, bytes);
      await blobs.remove(sha256);
    }
    return {
      write: true,
      entry: {
        at: clock.now(),
        actor: "portcullis",
        on_behalf_of: null,
        action: "bundles.forget",
        revision: null,
        body: { bundles },
      },
      statements: [],
      result: undefined,
    };
  };
  try {
    await writeAudited(sql, attempt);
  } catch (error) {
    await putBack(() => true);
    throw error;
  }
}
