/** The deployment to Cloudflare, as far as it goes without an account. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const env = {
  ...process.env,
  CI: "1",
  WRANGLER_SEND_METRICS: "false",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
};

test(
  "bundles for Workers without an account, well below the size that starts in a second",
  { timeout: 120_000 },
  async () => {
    const out = mkdtempSync(join(tmpdir(), "portcullis-wrangler-"));
    try {
      const program = join(root, "node_modules/wrangler/bin/wrangler.js");
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [program, "deploy", "--dry-run", "--outdir", out],
        { cwd: root, env },
      );
      for (const binding of ["env.DB", "env.BUNDLES", "env.FLEET"])
        expect(stdout).toContain(binding);
      expect(statSync(join(out, "index.js")).size).toBeLessThan(3 * 1024 * 1024);
    } finally {
      rmSync(out, { recursive: true, force: true });
    }
  },
);
