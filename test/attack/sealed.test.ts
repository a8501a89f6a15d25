/**
 * Sealed mode: operators sign what hosts enforce, two of three. A control plane that is stolen with every key it has can
 * keep hosts from news, and nothing else. One host, real signatures, a real kernel, the operators' command line.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { formatCanonical } from "#schema/canonical.ts";
import { readPrivateKey } from "#cli/root/key-files.ts";
import { signatureOver } from "#cli/root/name.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import { publishHost, publishTargets } from "#worker/signing/repository.ts";
import type { Repository } from "#worker/signing/types.ts";
import { readRepository } from "#worker/served/repository-rows.ts";
import { cycle, Deployment, type Host, loaded } from "./deployment.ts";
import { type Files, filesOf } from "./plane.ts";
import { admitting } from "./victim.ts";

const deployment = new Deployment();
const at = (name: string): string => deployment.at(name);
const run = (...args: readonly string[]) => deployment.run(...args);
let web1: Host;

const catalog = (source: string): string => `portcullis: 1
hosts:
  web1: { addresses: [192.0.2.11], roles: [web] }
services:
  web:
    ingress:
      - { from: ${source}, port: 443, proto: tcp }
`;
const sign = (operator: string) =>
  run("cosign", "sign", "web1", "--key", at(operator), "--root", at("2.json"), "--yes");
const served = async (): Promise<Repository> => {
  const row = await readRepository(deployment.plane.ports.sql, "web1");
  if (row === undefined) throw new Error("nothing is published");
  return row;
};

beforeAll(async () => {
  await deployment.start();
  await run("root", "init", "--threshold", "2", "--keys", "3", "--out", at("keys"));
  await deployment.apply(catalog("198.51.100.0/24"));
  web1 = await deployment.join("web1");
  expect(await cycle(web1)).toMatchObject({ refusal: undefined, state: { kind: "steady" } });
  for (const operator of ["op1", "op2", "op3"]) await run("root", "key", "--out", at(operator));
  const keys = ["op1", "op2", "op3"].flatMap((operator) => [
    "--targets-key",
    at(`${operator}.pub`),
  ]);
  await run("root", "rotate", "--targets", "sealed", ...keys, "--out", at("2.json"));
  await deployment.ceremony(at("2.json"));
});
afterAll(() => deployment.close());

test("a root edit gives the rules to operators: the host takes nothing until two of them signed, and needs no other change", async () => {
  const before = await loaded(web1);
  expect((await cycle(web1)).refusal?.code).toBe("signature_invalid");
  await maintain(deployment.plane.ports);
  expect((await run("cosign", "list")).join("\n")).toMatch(/web1 +2 +\d+ +0 of 2/);
  // Nothing that operators signed stands to compare with: all of it is shown.
  expect((await run("cosign", "show", "web1")).join("\n")).toMatch(/signed nothing for it before/);
  await sign("op1");
  expect((await cycle(web1)).refusal?.code).toBe("signature_invalid");
  expect(await sign("op2")).toEqual(
    expect.arrayContaining(["web1 seq 2: signed 2 of 2, published"]),
  );
  expect(await cycle(web1)).toMatchObject({
    refusal: undefined,
    state: { kind: "steady", applied: { seq: 2 } },
  });
  expect(await loaded(web1)).toBe(before);
});

test("a commit waits for signatures, shown as what it changes, and is enforced when they are there", async () => {
  const before = await loaded(web1);
  await deployment.apply(catalog("203.0.113.0/24"));
  expect((await cycle(web1)).refusal).toBeUndefined();
  expect(await loaded(web1)).toBe(before);
  const shown = await run("cosign", "show", "web1", "--root", at("2.json"));
  expect(shown.join("\n")).toMatch(/\+ .*203\.0\.113\.0\/24/);
  expect(shown.join("\n")).not.toContain("signed nothing");
  const reported = "SELECT json_array_length(body, '$.expires') AS n FROM report";
  expect(await deployment.plane.ports.sql.prepare(reported).first()).toEqual({ n: 4 });
  await sign("op3");
  await sign("op1");
  expect(await cycle(web1)).toMatchObject({ refusal: undefined, state: { applied: { seq: 3 } } });
  expect(await loaded(web1)).toContain("203.0.113.0/24");
});

test("a control plane with only its own keys can freeze, nothing else", async () => {
  const before = await loaded(web1);
  const signer = deployment.stolenKeys();
  const previous = await served();
  const common = {
    fleet: "acme",
    host: "web1",
    revision: 9,
    now: Date.now(),
    leaseSeconds: 3600,
    signer,
  };
  const ruleset = admitting("203.0.113.66");
  const forged = await publishHost({ ...common, mode: "enforce", ruleset, previous });
  const closing = await publishHost({ ...common, mode: "closed", ruleset, previous });
  if (forged === undefined || closing === undefined) throw new Error("the thief published nothing");

  // One operator's signature, taken from where it was given or from an operator who is a thief too.
  const { signed } = JSON.parse(forged.repository.targets) as { signed: object };
  const one = signatureOver(formatCanonical(signed), readPrivateKey(at("op1")));
  const own = (JSON.parse(forged.repository.targets) as { signatures: object[] }).signatures;
  const over = async (text: string, from: Repository): Promise<Files> => {
    const {
      seq,
      bundle_sha256: sha256,
      bundle_length: length,
      targets_expires_at: expiresAt,
    } = from;
    const content = { ...common, previous, bundle: { sha256, length } };
    const repository = await publishTargets(common, content, { seq, text, expiresAt });
    return filesOf({ repository, bundle: forged.bundle });
  };
  const withOne = formatCanonical({ signatures: [...own, one], signed });
  const twice = formatCanonical({ signatures: [one, one], signed });
  for (const [files, code] of [
    [filesOf(forged), "signature_invalid"],
    [filesOf(closing), "signature_invalid"],
    [await over(withOne, forged.repository), "signature_invalid"],
    [await over(twice, forged.repository), "metadata_malformed"],
  ] as const) {
    web1.front.steal(files);
    expect((await cycle(web1)).refusal?.code).toBe(code);
    expect(await loaded(web1)).toBe(before);
  }
  // It can sign leases over what operators signed, for as long as those targets live.
  const bundle = await deployment.plane.ports.blobs.get(previous.bundle_sha256);
  if (bundle === undefined) throw new Error("the bundle is gone");
  web1.front.steal({
    ...(await over(previous.targets, previous)),
    bundle: Buffer.from(bundle).toString(),
  });
  expect((await cycle(web1)).refusal).toBeUndefined();
  expect(await loaded(web1)).toBe(before);
});
