/** What we ask of tuf-js beyond its public interface: to go by the time it is told. Red when an upgrade moves that. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Updater } from "tuf-js";
import { DownloadHTTPError } from "tuf-js/dist/error.js";
import { setTime } from "#agent/trust/engine.ts";
import { buildRoot, makeRootKey, signRoot } from "#cli/root/name.ts";

const folder = mkdtempSync(join(tmpdir(), "portcullis-engine-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const day = 86_400_000;
const key = makeRootKey();
const [targets, snapshot, timestamp] = [makeRootKey(), makeRootKey(), makeRootKey()];
const online = { targets: targets.key, snapshot: snapshot.key, timestamp: timestamp.key };

/** What a refresh at this time ends with, where a root made now for 30 days is all there is. */
async function refreshAt(time: number): Promise<unknown> {
  const root = buildRoot({
    version: 1,
    now: Date.now(),
    threshold: 1,
    rootKeys: [key.key],
    online,
    days: 30,
  });
  writeFileSync(join(folder, "root.json"), signRoot(root, [key]));
  const missing = async (): Promise<never> => {
    throw new DownloadHTTPError("not served", 404);
  };
  // The root's end is looked at when a timestamp came.
  const nothing = async (url: string): Promise<Buffer> =>
    url.endsWith("/timestamp.json") ? Buffer.from("{}") : missing();
  const updater = new Updater({
    metadataDir: folder,
    metadataBaseUrl: "https://nothing.invalid",
    fetcher: { downloadBytes: nothing, downloadFile: missing },
  });
  setTime(updater, new Date(time));
  return updater.refresh().catch((error: unknown) => error);
}

test("the second verifier finds a root good before its end, and goes on to the timestamp", async () => {
  expect(String(await refreshAt(Date.now() + 29 * day))).not.toMatch(/root.*expired/i);
});

test("the second verifier goes by the time that it is told, not by the wall clock", async () => {
  expect(String(await refreshAt(Date.now() + 31 * day))).toMatch(/root.*expired/i);
});
