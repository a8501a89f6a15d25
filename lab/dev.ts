/**
 * `npm run dev`: the Worker under `wrangler dev` on this machine, ready to use. Keys and the first operator token are
 * made once under `.portcullis/dev`, the local D1 is brought to its last migration, and nothing is fetched.
 */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openAdminToken, openSecrets } from "#worker/standalone/secrets.ts";
import { must } from "./run/process.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, ".portcullis", "dev");
const wrangler = [
  process.execPath,
  join(root, "node_modules", "wrangler", "bin", "wrangler.js"),
] as const;

process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
process.env["WRANGLER_SEND_METRICS"] = "false";
mkdirSync(folder, { recursive: true, mode: 0o700 });
const secrets = await openSecrets(folder);
const admin = await openAdminToken(folder);
const variables = join(folder, "vars");
writeFileSync(
  variables,
  [
    `SIGNING_KEYS='${JSON.stringify(secrets.signing_keys)}'`,
    `TOKEN_SECRET='${secrets.token_secret}'`,
    `ADMIN_TOKEN_SHA256='${admin.sha256}'`,
    "",
  ].join("\n"),
  { mode: 0o600 },
);
const migrating = ["d1", "migrations", "apply", "portcullis", "--local", "--env-file", variables];
await must([...wrangler, ...migrating], { env: { ...process.env, CI: "1" }, timeoutMs: 120_000 });
process.stdout.write(`operator token: ${admin.file}\n`);

const [command, program] = wrangler;
const child = spawn(
  command,
  [program, "dev", "--local", "--env-file", variables, ...process.argv.slice(2)],
  {
    stdio: "inherit",
  },
);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
child.on("close", (code) => {
  process.exitCode = code ?? 1;
});
