/** What blobs promise on every adapter: bytes that are those of their name, or none. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Change } from "#schema/intent.ts";
import {
  type Adapter,
  type Harness,
  hostChange,
  memberChange,
  openHarness,
  overlayChange,
} from "./harness.ts";

export function blobContract(name: string, open: () => Promise<Adapter>): void {
  describe(`blobs on ${name}`, () => {
    let h: Harness;
    beforeAll(async () => {
      h = await openHarness(open);
      await put([hostChange("gw"), overlayChange("office", "gw", 8)]);
    });
    afterAll(() => h.close());
    const put = async (changes: readonly Change[]): Promise<void> => {
      const result = await h.commit(changes);
      if (!result.ok) throw new Error(`refused: ${JSON.stringify(result)}`);
    };

    test("serves no blob that was changed behind its back, and the same content published again mends it", async () => {
      const { blobs, sql } = h.ports;
      const served = async () =>
        (await sql
          .prepare("SELECT bundle_sha256 FROM repository WHERE host = 'gw'")
          .first<string>("bundle_sha256")) ?? "";
      await put([memberChange("office/mended", "dev", "10.8.0.77")]);
      const sha256 = await served();
      const bytes = await blobs.get(sha256);
      await h.damage(sha256);
      await expect(blobs.get(sha256)).rejects.toThrow(`the stored blob ${sha256} has other bytes`);
      await put([{ op: "delete", kind: "member", key: "office/mended" }]);
      await put([memberChange("office/mended", "dev", "10.8.0.77")]);
      expect(await served()).toBe(sha256);
      expect(await blobs.get(sha256)).toEqual(bytes);
      await put([{ op: "delete", kind: "member", key: "office/mended" }]);
    });

    test("takes no bytes under another name than their digest, and no name that is no digest", async () => {
      const { blobs } = h.ports;
      const bytes = new TextEncoder().encode("bundle");
      await expect(blobs.put("0".repeat(64), new Uint8Array(bytes))).rejects.toThrow(
        "not those of its name",
      );
      await expect(blobs.get("../../etc/passwd")).rejects.toThrow("SHA-256");
      expect(await blobs.get("0".repeat(64))).toBeUndefined();
    });
  });
}
