/**
 * The drill of SECURITY.md, "The online keys are stolen": a thief who holds them all, three hosts, the operators' command
 * line, and a control plane that starts with new keys. Nobody touches a host.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { publishHost } from "#worker/signing/repository.ts";
import type { Published } from "#worker/signing/types.ts";
import type { Signer } from "#worker/ports/index.ts";
import { readRepository } from "#worker/served/repository-rows.ts";
import { cycle, Deployment, type Host, loaded } from "./deployment.ts";
import { filesOf } from "./plane.ts";
import { admitting } from "./victim.ts";

/** What an agent accepts at once (agent/trust/verify.ts). */
const jump = 2 ** 20;
const deployment = new Deployment();
let web1: Host;
let web2: Host;
let db1: Host;

/** What the thief signs for a host: whoever it likes gets in, as far above what was seen as an agent goes along with. */
async function theft(
  signer: Signer,
  host: string,
  beside: string,
  last?: Published,
): Promise<Published> {
  const previous = last?.repository ?? (await readRepository(deployment.plane.ports.sql, host));
  if (previous === undefined) throw new Error(`nothing was published for ${host}`);
  const floor = {
    timestamp: previous.timestamp_version + jump - 1,
    targets: previous.seq + jump - 1,
  };
  const ruleset = admitting("203.0.113.66", beside);
  const made = {
    fleet: "acme",
    host,
    revision: previous.revision,
    now: Date.now(),
    leaseSeconds: 3600,
  };
  const published = await publishHost({
    ...made,
    floor,
    previous,
    signer,
    mode: "enforce",
    ruleset,
  });
  if (published === undefined) throw new Error("the thief published nothing new");
  return published;
}

const catalog = `portcullis: 1
hosts:
  web1: { addresses: [192.0.2.11], roles: [web] }
  web2: { addresses: [192.0.2.12], roles: [web] }
  db1: { addresses: [192.0.2.13], roles: [] }
services:
  web:
    ingress:
      - { from: 198.51.100.0/24, port: 443, proto: tcp }
`;

beforeAll(async () => {
  await deployment.start();
  await deployment.run(
    "root",
    "init",
    "--threshold",
    "2",
    "--keys",
    "3",
    "--out",
    deployment.at("keys"),
  );
  await deployment.apply(catalog);
  web1 = await deployment.join("web1");
  web2 = await deployment.join("web2");
  db1 = await deployment.join("db1");
  for (const host of [web1, web2, db1])
    expect(await cycle(host)).toMatchObject({ refusal: undefined, state: { kind: "steady" } });
});
afterAll(() => deployment.close());

test("after the online keys were stolen and used, one root ceremony brings every host back, untouched, and ends the thief", async () => {
  const thief = deployment.stolenKeys();
  // web1 is taken twice, further than the honest control plane dares to follow; web2 once, so that it does follow.
  const first = await theft(thief, "web1", "198.51.100.1");
  const second = await theft(thief, "web1", "198.51.100.2", first);
  for (const [host, published] of [
    [web1, first],
    [web1, second],
    [web2, await theft(thief, "web2", "198.51.100.1")],
  ] as const) {
    host.front.steal(filesOf(published));
    expect(await cycle(host)).toMatchObject({ refusal: undefined, state: { kind: "steady" } });
    expect(await loaded(host)).toContain("203.0.113.66");
  }
  for (const { front } of [web1, web2]) front.steal(undefined);
  expect((await cycle(web1)).refusal?.code).toBe("version_rollback");
  expect(await loaded(web1)).toContain("203.0.113.66");
  expect((await cycle(web2)).refusal).toBeUndefined();
  const kept = [await loaded(web2), await loaded(db1)];
  expect(kept.join()).not.toContain("203.0.113.66");

  // SECURITY.md's commands, with a restart where they say so.
  await deployment.restartWithOtherKeys();
  await deployment.run("root", "rotate", "--online", "--out", deployment.at("2.json"));
  await deployment.ceremony(deployment.at("2.json"));

  for (const host of [web1, web2, db1]) {
    const { refusal, state } = await cycle(host);
    expect([host.name, refusal, state.kind]).toEqual([host.name, undefined, "steady"]);
  }
  const after = await loaded(web1);
  expect(after).not.toContain("203.0.113.66");
  expect(after).toContain("198.51.100.0/24");
  // Their bundles are what they were: the kernel was not written to.
  expect([await loaded(web2), await loaded(db1)]).toEqual(kept);

  web1.front.steal(filesOf(await theft(thief, "web1", "198.51.100.3", second)));
  expect((await cycle(web1)).refusal?.code).toBe("signature_invalid");
  expect(await loaded(web1)).toBe(after);
  web1.front.steal(undefined);
  expect((await cycle(web1)).refusal).toBeUndefined();
  expect(await loaded(web1)).toBe(after);
});
