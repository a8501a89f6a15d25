/** The whole chain in one lab's data folder: the story as a person starts it, then a second start on the same rows. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { agentStatus } from "#lab/fleet/hosts.ts";
import { readKernel } from "#lab/net/kernel.ts";
import { type Lab, waitForLab } from "#lab/story/lab.ts";
import { askOf } from "#lab/net/probe.ts";
import { run } from "#lab/run/process.ts";
import { newData, startLab, tableOf } from "./lab-process.ts";
import { withLab } from "./open-lab.ts";
import { carolGains, declared } from "./reaching.ts";

const data = newData();
afterAll(() => rmSync(data, { recursive: true, force: true }));

/** What the names of that lab's namespaces begin with. */
function prefixOf(output: string): string {
  const prefix = /pc[0-9a-f]{8}/.exec(output)?.[0];
  if (prefix === undefined) throw new Error("the lab named no namespace");
  return prefix;
}

const union = (a: ReadonlySet<string>, b: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([...a, ...b]);
const minus = (a: ReadonlySet<string>, b: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([...a].filter((line) => !b.has(line)));

test("the example fleet: packets follow the catalog, attackers change nothing, and the lab exits 0", async () => {
  const lab = startLab("main", ["--once", "--port", "0", "--data", data]);
  const code = await lab.ended;
  const output = lab.stdout();
  expect(code, `${output}${lab.stderr()}`).toBe(0);
  expect(tableOf(output, 0).open).toEqual(declared);
  const carol = tableOf(output, 1);
  expect(union(minus(declared, carol.gone), carol.open)).toEqual(union(declared, carolGains));
  const albums = tableOf(output, 2);
  expect(albums.open).toEqual(new Set(["laptop1 > photos1 tcp/2342"]));
  expect(albums.gone).toEqual(new Set());
  expect(tableOf(output, 3)).toEqual({ open: new Set(), gone: new Set() });
  for (const host of ["gw", "photos1"]) {
    expect(output).toContain(`${host} refuses: bundle_hash_mismatch`);
    expect(output).toContain(`${host} refuses: version_rollback`);
  }
  expect(output).toMatch(/\d+ checks agree, 0 differ/);
  const { stdout: namespaces } = await run(["ip", "netns", "list"]);
  expect(namespaces).not.toContain(prefixOf(output));
});

const headOf = async (lab: Lab): Promise<number> => {
  const { items } = await lab.control.api.call("GET /v1/revisions", { query: { limit: 1 } });
  return items[0]?.revision ?? 0;
};

test("alice's group decides within a poll whether her ping reaches bob, and SIGTERM leaves the rules", async () => {
  await withLab(data, async (lab) => {
    const [alice, bob, gw] = ["alice", "bob", "gw"].map((name) => lab.network.station(name));
    if (alice === undefined || bob === undefined || gw === undefined)
      throw new Error("expected a fleet");
    const reaches = async (): Promise<unknown> =>
      (await lab.probers.answers([{ from: alice, to: bob, ask: askOf("ping") }]))[0];
    const stopAgents = await lab.startAgents();
    const seq = (await waitForLab(lab)).get("gw")?.seq ?? 0;
    expect(await reaches()).toEqual({ v4: true, v6: true });
    const before = await readKernel(gw.namespace);
    const head = await headOf(lab);

    const moved = (group: string) =>
      lab.control.api.call("PUT /v1/overlays/:overlay/members/:cn", {
        params: { overlay: "office", cn: "alice" },
        body: { group, addresses: [alice.address.v4, alice.address.v6] },
      });
    await moved("ops");
    expect((await waitForLab(lab)).get("gw")?.seq).toBe(seq + 1);
    expect(await reaches()).toEqual({ v4: false, v6: false });
    const after = await readKernel(gw.namespace);
    expect(before?.rules).toBeGreaterThan(0);
    expect(after?.rules).toBe(before?.rules);
    expect(after?.digest).not.toBe(before?.digest);
    expect(await headOf(lab)).toBe(head + 1);

    await stopAgents();
    expect(await readKernel(gw.namespace)).toEqual(after);
    expect(await reaches()).toEqual({ v4: false, v6: false });
    expect((await agentStatus(lab.gateway)).applied?.seq).toBe(seq + 1);
    await moved("dev");
  });
});

test("a second start on the same rows publishes nothing, and a killed lab is swept whole", async () => {
  const first = startLab("main", ["--port", "0", "--data", data]);
  const [, revision] = await first.says(/no change; revision (\d+) says/);
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

  await withLab(data, async (lab) => {
    expect(await headOf(lab)).toBe(Number(revision));
  });
});
