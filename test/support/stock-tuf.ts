/** The stock tuf-js Updater as an independent reader: it fetches, verifies and persists exactly as published. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BaseFetcher, Updater } from "tuf-js";
import { DownloadHTTPError } from "tuf-js/dist/error.js";

/** A plain TUF repository: the bytes at a path such as `metadata/timestamp.json`, or undefined for a 404. */
export type Serve = (path: string) => Promise<Uint8Array | undefined>;

class ServedFetcher extends BaseFetcher {
  readonly #serve: Serve;

  constructor(serve: Serve) {
    super();
    this.#serve = serve;
  }

  async fetch(url: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const bytes = await this.#serve(new URL(url).pathname.slice(1));
    if (bytes === undefined) throw new DownloadHTTPError("not served", 404);
    return ReadableStream.from([new Uint8Array(bytes)]);
  }
}

export interface StockClient {
  /** One refresh and download. @throws whatever tuf-js throws */
  update(): Promise<{ readonly bundle: Uint8Array; readonly custom: unknown }>;
  close(): void;
}

/** A client that pinned `root` and keeps its state between updates. */
export function stockClient(root: string, serve: Serve): StockClient {
  const dir = mkdtempSync(join(tmpdir(), "portcullis-stock-"));
  writeFileSync(join(dir, "root.json"), root);
  return {
    async update() {
      const updater = new Updater({
        metadataDir: dir,
        metadataBaseUrl: "http://repository.invalid/metadata",
        targetDir: dir,
        targetBaseUrl: "http://repository.invalid/targets",
        fetcher: new ServedFetcher(serve),
      });
      await updater.refresh();
      const info = await updater.getTargetInfo("bundle.json");
      if (info === undefined) throw new Error("no bundle.json in targets");
      const file = await updater.downloadTarget(info, join(dir, "downloaded.json"));
      return { bundle: readFileSync(file), custom: info.custom };
    },
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}
