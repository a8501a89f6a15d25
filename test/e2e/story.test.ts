/** The whole chain in one lab's data folder: the story as a person starts it, then a second start on the same rows. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import * as z from "zod";
import { agentStatus } from "#lab/hosts.ts";
import { readKernel } from "#lab/kernel.ts";
import { type Lab, openLab, settled } from "#lab/lab.ts";
import { reaches } from "#lab/probe.ts";
import { run, stop } from "#lab/process.ts";
import { openState } from "#lab/state.ts";
import { newData, packetsOf, startLab } from "./lab-process.ts";

const data = newData();
afterAll(() => rmSync(data, { recursive: true, force: true }));

const both = (verdict: "accept" | "drop"): readonly string[] => [verdict, verdict];
const declared = new Map([
  ["alice>bob", both("accept")],
  ["alice>carol", both("drop")],
  ["bob>alice", both("accept")],
  ["bob>carol", both("drop")],
  ["carol>alice", both("drop")],
  ["carol>bob", both("drop")],
  ["alice>elsewhere", both("drop")],
  ["bob>elsewhere", both("drop")],
  ["carol>elsewhere", both("drop")],
  ["elsewhere>alice", both("drop")],
  ["elsewhere>bob", both("drop")],
  ["elsewhere>carol", both("drop")],
]);
const carolInDev = new Map([
  ...declared,
  ["alice>carol", both("accept")],
  ["bob>carol", both("accept")],
  ["carol>alice", both("accept")],
  ["carol>bob", both("accept")],
]);

/** What the names of that lab's namespaces begin with. */
function prefixOf(output: string): string {
  const prefix = /pc[0-9a-f]{8}/.exec(output)?.[0];
  if (prefix === undefined) throw new Error("the lab named no namespace");
  return prefix;
}

test("a row changes, the packets follow, attackers change nothing, and the lab exits 0", async () => {
  const lab = startLab("main", ["--once", "--port", "0", "--data", data]);
  const code = await lab.ended;
  expect(code, `${lab.stdout()}${lab.stderr()}`).toBe(0);
  expect(packetsOf(lab.stdout(), 0)).toEqual(declared);
  expect(packetsOf(lab.stdout(), 1)).toEqual(carolInDev);
  expect(packetsOf(lab.stdout(), 2)).toEqual(declared);
  expect(lab.stdout()).toMatch(/gw refuses: bundle_hash_mismatch/);
  expect(lab.stdout()).toMatch(/gw refuses: version_rollback/);
  expect(lab.stdout()).toMatch(/\d+ checks agree, 0 differ/);
  const { stdout: namespaces } = await run(["ip", "netns", "list"]);
  for (const name of lab.stdout().match(/pc[0-9a-f]{8}-[a-z]+/g) ?? [])
    expect(namespaces).not.toContain(name);
});

const Revisions = z.object({ items: z.array(z.object({ revision: z.int() })) });
const headOf = async (lab: Lab): Promise<number> => {
  const { items } = await lab.control.api.get("/v1/revisions?limit=1", Revisions);
  return items[0]?.revision ?? 0;
};
/** What the ETag of a host's poll is made of. */
const timestampOf = (lab: Lab, host: string): Promise<unknown> =>
  lab.control.api.get(`/v1/hosts/${host}/repo/metadata/timestamp.json`, z.unknown());

async function withLab(check: (lab: Lab) => Promise<void>): Promise<void> {
  const state = await openState(data);
  if (state === undefined) throw new Error("another lab holds this folder");
  const lab = await openLab({ data, port: 0, runtime: "standalone" }, state, () => undefined);
  try {
    await check(lab);
  } finally {
    await lab.close();
    state.release();
  }
}

test("alice's group decides within a poll whether her ping reaches bob, and SIGTERM leaves the rules", async () => {
  await withLab(async (lab) => {
    const [alice, bob] = lab.network.clients;
    if (alice === undefined || bob === undefined) throw new Error("expected alice and bob");
    const agent = await lab.startGateway();
    const { seq } = await settled(lab);
    expect(await reaches(alice, bob, "v4")).toBe(true);
    expect(await reaches(alice, bob, "v6")).toBe(true);
    const before = await readKernel(lab.network.gateway);
    const [head, other] = [await headOf(lab), await timestampOf(lab, "other")];

    const body = { group: "ops", addresses: [alice.address.v4, alice.address.v6] };
    await lab.control.api.send("PUT", "/v1/overlays/office/members/alice", body, z.unknown());
    expect((await settled(lab)).seq).toBe(seq + 1);
    expect(await reaches(alice, bob, "v4")).toBe(false);
    expect(await reaches(alice, bob, "v6")).toBe(false);
    const after = await readKernel(lab.network.gateway);
    expect(before?.rules).toBeGreaterThan(0);
    expect(after?.rules).toBe(before?.rules);
    expect(after?.digest).not.toBe(before?.digest);
    expect(await headOf(lab)).toBe(head + 1);
    expect(await timestampOf(lab, "other")).toEqual(other);

    await stop(agent);
    expect(agent.exitCode).toBe(0);
    expect(await readKernel(lab.network.gateway)).toEqual(after);
    expect(await reaches(alice, bob, "v4")).toBe(false);
    expect((await agentStatus(lab.gateway)).applied?.seq).toBe(seq + 1);

    await lab.control.api.send(
      "PUT",
      "/v1/overlays/office/members/alice",
      { ...body, group: "dev" },
      z.unknown(),
    );
  });
});

test("a second start on the same rows publishes nothing, and a killed lab is swept whole", async () => {
  const first = startLab("main", ["--port", "0", "--data", data]);
  const [, revision] = await first.says(/intent: .*\(revision (\d+)\)/);
  await first.says(/As declared/);
  const prefix = prefixOf(first.stdout());
  expect((await run(["ip", "netns", "list"])).stdout).toContain(prefix);
  first.child.kill("SIGKILL");
  await first.ended;

  const clean = startLab("clean", ["--data", data]);
  expect(await clean.ended).toBe(0);
  expect(clean.stdout()).toMatch(/removed [1-9]\d* namespaces/);
  const { stdout: namespaces } = await run(["ip", "netns", "list"]);
  expect(namespaces).not.toContain(prefix);
  const { stdout: processes } = await run(["ps", "-eo", "args"]);
  expect(processes).not.toContain(data);
  const { stdout: sockets } = await run(["find", join(data, "lab"), "-type", "s"]);
  expect(sockets).toBe("");

  await withLab(async (lab) => {
    expect(await headOf(lab)).toBe(Number(revision));
  });
});
