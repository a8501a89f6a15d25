/** Puts a fleet on new machines, and stops them: a root of three keys, tokens, rows, and web1, which enforces them. */
import {
  copyFileSync,
  cpSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { guardText } from "../victim.ts";
import { waitUntil } from "#lab/run/process.ts";
import type { Machines } from "./machines.ts";

/** web1 admits web2, by its address. */
const hosts = `portcullis: 1
hosts:
  web1: { addresses: [192.0.2.11], roles: [web] }
  web2: { addresses: [192.0.2.12], roles: [cache] }
`;

/** Lets one more port of web1 be reached. */
export const services = (...ports: readonly number[]): string => `portcullis: 1
services:
  web:
    ingress:
      - { from: cache, port: 443, proto: tcp }
${ports.map((port) => `      - { from: 203.0.113.0/24, port: ${port}, proto: tcp }\n`).join("")}`;

export async function settle(machines: Machines): Promise<void> {
  const at = (name: string): string => machines.at(name);
  writeFileSync(at("desk/catalog/hosts.yaml"), hosts);
  writeFileSync(at("desk/catalog/services.yaml"), services());
  writeFileSync(at("guard/guard.yaml"), guardText, { mode: 0o600 });
  writeFileSync(at("desk/admin.token"), "none yet");
  await machines.run("systemctl start portcullis-control");
  copyFileSync(at("control/admin.token"), at("desk/admin.token"));
  await machines.run("portcullis root init --threshold 2 --keys 3 --out keys");
  const files = readdirSync(at("desk/keys")).filter((name) => name.endsWith(".pem"));
  for (const [i, name] of ["alice", "bob", "carol"].entries())
    renameSync(at(`desk/keys/${files[i]}`), at(`desk/${name}.pem`));
  machines.means("4f1c09aa", files[2]?.slice("root-".length, "root-".length + 8) ?? "");
  copyFileSync(at("desk/keys/root.json"), at("desk/root.json"));
  await machines.run(
    "portcullis token create --name ci --scope intent:read --scope intent:write > ci.token",
  );
  await machines.run("portcullis apply -f catalog/ --yes");
  await machines.run(`portcullis enrol web1 | sed '$s/$/ --enforce/' | ssh root@web1 sh`);
  await machines.run("systemctl start portcullis-agent");
  await isSteady(machines);
  await machines.stop();
  cpSync(at("control"), at("backup"), { recursive: true });
}

/** Waits until web1 has committed what it was served last. */
const isSteady = (machines: Machines): Promise<true> =>
  waitUntil("web1 to commit", async () => {
    const { out } = await machines.try("portcullis-agent status");
    return /^state +steady/m.test(out) ? true : undefined;
  });

/** Waits until web1's kernel holds this text. */
export const holds = (machines: Machines, text: string): Promise<string> =>
  waitUntil(`web1 to hold ${text}`, async () => {
    const loaded = await machines.loaded();
    return loaded.includes(text) ? loaded : undefined;
  });

/** A host that is alive takes the next commit: this port opens in its kernel. */
export async function takesNews(machines: Machines, ...ports: readonly number[]): Promise<void> {
  writeFileSync(machines.at("desk/catalog/services.yaml"), services(...ports));
  await machines.run("portcullis apply -f catalog/ --yes");
  await holds(machines, `${ports.at(-1)}`);
}

export const read = (machines: Machines, name: string): string =>
  readFileSync(machines.at(name), "utf8").trim();
