/**
 * Tests that run inside workerd, on real D1 and R2 as miniflare has them. Each file starts a runtime of its own, which
 * takes seconds: few and large files. Everything that needs no binding is tested in Node.
 */
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const privateKey = () => {
  const { kty, crv, x, d } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return { kty, crv, x, d };
};
const adminToken = `pc_admin_${randomBytes(32).toString("base64url")}`;

// The runtime would ask the network for request.cf; tests need no network.
process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
process.env["WRANGLER_SEND_METRICS"] = "false";

export default defineConfig({
  plugins: [
    cloudflareTest(async () => ({
      wrangler: { configPath: "./wrangler.toml" },
      miniflare: {
        bindings: {
          MIGRATIONS: await readD1Migrations("schema/migrations"),
          ADMIN_TOKEN: adminToken,
          ADMIN_TOKEN_SHA256: createHash("sha256").update(adminToken).digest("hex"),
          SIGNING_KEYS: JSON.stringify({
            targets: privateKey(),
            snapshot: privateKey(),
            timestamp: privateKey(),
          }),
          TOKEN_SECRET: randomBytes(32).toString("base64url"),
        },
      },
    })),
  ],
  test: {
    name: "workerd",
    include: ["test/workerd/**/*.test.ts"],
    testTimeout: 900_000,
    hookTimeout: 900_000,
  },
});
