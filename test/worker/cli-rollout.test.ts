/** Rollouts by the command line, against a real control plane over a real socket; hosts are their reports. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RolloutView } from "#schema/rollout.ts";
import { type AgentState, Report } from "#schema/wire.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import { takeReport } from "#worker/poll/report.ts";
import { openStandalone, type Standalone } from "#worker/standalone/index.ts";
import { commit } from "#worker/commits/commit.ts";
import { type Ended, runCli } from "../support/cli.ts";
import { speakerOf } from "#test/support/speaker.ts";

const folder = mkdtempSync(join(tmpdir(), "portcullis-cli-rollout-"));
const catalog = join(folder, "catalog.yaml");
const hosts = ["w1", "w2", "w3", "w4"] as const;
let plane: Standalone;
let env: Record<string, string>;
let ahead = 0;

beforeAll(async () => {
  plane = await openStandalone({
    data: join(folder, "plane"),
    fleet: "f1",
    endpoints: [{ kind: "plain", host: "127.0.0.1", port: 0 }],
    clock: { now: () => Date.now() + ahead },
  });
  env = { PORTCULLIS_URL: plane.urls[0] ?? "", PORTCULLIS_TOKEN: plane.admin.token };
  declare();
  expect((await run("apply", "-f", catalog, "--yes")).code).toBe(0);
});
afterAll(async () => {
  await plane.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Another port than before, on every host: each change gives and takes nothing. */
const ports: number[] = [];
function declare(): void {
  ports.push(443 + ports.length);
  const declared = Object.fromEntries(
    hosts.map((host) => [host, { addresses: [], roles: ["web"] }]),
  );
  const ingress = ports.map((port) => ({ from: "any", port, proto: "tcp" }));
  writeFileSync(
    catalog,
    JSON.stringify({ portcullis: 1, hosts: declared, services: { web: { ingress } } }),
  );
}

const run = (...args: readonly string[]) => runCli(args, { env });
async function parsed(...args: readonly string[]): Promise<unknown> {
  const { code, lines, errors } = await run(...args, "--json");
  expect({ code, errors, count: lines.length }).toEqual({ code: 0, errors: [], count: 1 });
  return JSON.parse(lines[0] ?? "");
}

async function stage(): Promise<void> {
  declare();
  const { lines } = await run("apply", "-f", catalog, "--yes", "--stage");
  expect(lines.at(-1)).toMatch(/^revision \d+: staged for 4 hosts$/);
}

const Newest = RolloutView.pick({ id: true });
async function newest(): Promise<number> {
  const [first] = (await parsed("rollout", "list", "--limit", "1")) as unknown[];
  return Newest.loose().parse(first).id;
}

let n = 0;

/** What the agent of a host would report now. */
async function report(host: string, state: AgentState): Promise<void> {
  const { sql, clock } = plane.ports;
  const served = await sql
    .prepare("SELECT seq, revision, bundle_sha256 FROM repository WHERE host = ?1")
    .bind(host)
    .first<{ seq: number; revision: number; bundle_sha256: string }>();
  if (served === null) throw new Error(`${host} is served nothing`);
  const { seq, revision, bundle_sha256 } = served;
  n += 1;
  const said = Report.parse({
    n,
    at: new Date(clock.now()).toISOString(),
    boot_id: "boot",
    agent_version: "0",
    renderer: "r",
    state,
    applied: {
      seq: state === "steady" ? seq : seq - 1,
      revision,
      bundle_sha256,
      program_sha256: bundle_sha256,
    },
    seen: { root: 1, timestamp: 1, targets: seq },
    guard_sha256: null,
    refusal: null,
    counters: [],
  });
  await takeReport(plane.ports, await speakerOf(plane.ports.sql, host), said);
}

/** Hosts that were given something answer and go on to report while they bake, until the command ends. */
async function played(ending: Promise<Ended>, state: AgentState = "steady"): Promise<Ended> {
  let ended: Ended | undefined;
  void ending.then((value) => (ended = value));
  for (let round = 0; round < 600 && ended === undefined; round += 1) {
    const given = await plane.ports.sql
      .prepare(
        "SELECT DISTINCT e.host FROM rollout_host e JOIN rollout r ON r.id = e.rollout WHERE r.status = 'running' AND e.standing IN ('assigned', 'committed')",
      )
      .all<{ host: string }>();
    for (const { host } of given.results) await report(host, state);
    ahead += 30_000;
    await maintain(plane.ports);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return ending;
}

test("a staged revision reaches no host, and the plan says so before it is asked for", async () => {
  declare();
  const proposed = await run("apply", "-f", catalog, "--yes", "--stage");
  expect(proposed.lines).toContain("staged, for a rollout to bring: w1, w2, w3, w4");
  expect(proposed.lines.at(-1)).toMatch(/: staged for 4 hosts$/);
  const ruleset = await run("ruleset", "w1", "--revision", "1");
  expect(ruleset.code).toBe(0);
});

test("start --wait says each change in a line, ends with the rollout, and 0 means completed", async () => {
  const gates = ["--strategy", "canary:50,100", "--bake", "0s"];
  const { code, lines, errors } = await played(
    run("rollout", "start", "--wait", ...gates, "--reason", "shop"),
  );
  expect({ code, errors }).toEqual({ code: 0, errors: [] });
  const said = lines.map((line) => line.replace(/^\d\d:\d\d:\d\dZ /, ""));
  expect(said[0]).toMatch(/^rollout \d+: revision 2, canary, 3 waves of 4 hosts together$/);
  expect(said).toContain("wave 3 of 2 hosts: 2 committed");
  expect(said.at(-1)).toBe("completed");
  expect(await run("rollout", "start")).toMatchObject({
    code: 1,
    errors: [expect.stringContaining("(nothing_to_release)")],
  });
});

test("a host that takes itself back ends the watch with 1, and the list and the hosts tell where", async () => {
  await stage();
  expect((await run("rollout", "start", "--strategy", "all")).lines[1]).toBe(
    "running: wave 1 waits for 4 hosts",
  );
  const id = String(await newest());
  const { code, lines } = await played(run("rollout", "watch", id, "--json"), "reverted");
  expect(code).toBe(1);
  const views = lines.map((line) => RolloutView.parse(JSON.parse(line)));
  expect(views[0]?.status).toBe("running");
  expect(views.at(-1)?.status).toBe("rolled_back");
  expect((await run("rollout", "hosts", id, "--standing", "reverted")).lines[1]).toMatch(
    /^w\d +widen +1 +reverted +- +took itself back from seq \d+ +reverted, holds seq \d+$/,
  );
  expect((await run("rollout", "list", "--status", "rolled_back")).lines[1]).toMatch(
    new RegExp(`^${id} +3 +rolled back +all +`),
  );
});

test("what was stopped goes on with a reason, and the watch of what is paused ends with 3", async () => {
  const id = String(await newest());
  const resumed = await run("rollout", "resume", id, "--reason", "w1 repaired");
  expect(resumed.lines[1]).toBe("running: wave 1 waits for 4 hosts");
  expect((await run("rollout", "pause", id, "--reason", "lunch")).lines[1]).toBe(
    "paused: pause by admin: lunch",
  );
  const watched = await run("rollout", "watch", id);
  expect(watched.code).toBe(3);
  expect(watched.lines.at(-1)).toMatch(/Z paused: pause by admin: lunch$/);
  expect(await parsed("rollout", "resume", id, "--reason", "done")).toMatchObject({
    status: "running",
  });
  expect((await played(run("rollout", "watch", id))).code).toBe(0);
});

test("on a terminal the same is one table that is drawn again, with the last news below it", async () => {
  await stage();
  await run("rollout", "start", "--strategy", "all");
  const frames: (readonly string[])[] = [];
  const watching = runCli(["rollout", "watch", String(await newest())], { env, frames });
  await expect.poll(() => frames.length, { timeout: 300_000 }).toBeGreaterThan(0);
  expect(await played(watching)).toMatchObject({ code: 0, lines: [] });
  expect(frames[0]?.[1]).toBe("running: wave 1 waits for 4 hosts");
  expect(frames[0]?.at(-1)).toMatch(/^last: /);
  expect(frames.at(-1)?.[1]).toBe("completed");
  expect(frames.at(-1)?.at(-1)).toMatch(/^last: \S+ completed$/);
});

test("apply --rollout stages, starts and watches in one command, for the hosts that it changes", async () => {
  const body = { ingress: [{ from: "any", port: 25, proto: "tcp" as const }], to: ["host:other"] };
  const changes = [{ op: "put" as const, kind: "service" as const, key: "mail", body }];
  const host = { op: "put" as const, kind: "host" as const, key: "other" };
  const made = { ...host, body: { addresses: [], roles: [], labels: {} } };
  const said = { message: "somebody else's", source: "api" };
  await commit(plane.ports, "other", { ...said, release: "now", changes: [made] });
  await commit(plane.ports, "other", { ...said, release: "staged", changes });
  declare();
  const applied = await played(
    run("apply", "-f", catalog, "--yes", "--rollout", "canary:100", "-m", "more"),
  );
  expect(applied).toMatchObject({ code: 0, errors: [] });
  expect(applied.lines.at(-1)).toMatch(/ completed$/);
  expect(await parsed("rollout", "show", String(await newest()))).toMatchObject({ note: "more" });
  const withheld = plane.ports.sql.prepare("SELECT DISTINCT host FROM withheld");
  expect((await withheld.all()).results).toEqual([{ host: "other" }]);
  await run("rollout", "start", "--host", "other", "--strategy", "all");
  await played(run("rollout", "watch", String(await newest())));
});

test("an emergency waits for a second token, and only then goes to everybody", async () => {
  await stage();
  const scopes = ["rollouts:write", "rollouts:approve", "intent:read"].flatMap((scope) => [
    "--scope",
    scope,
  ]);
  const person = async (name: string): Promise<readonly string[]> => {
    const made = await run("token", "create", "--name", name, ...scopes);
    const file = join(folder, `${name}.token`);
    writeFileSync(file, made.lines[0] ?? "");
    return ["--token-file", file];
  };
  const [first, second] = [await person("first"), await person("second")];
  const { id } = (await parsed(
    "rollout",
    "start",
    "--emergency",
    "--reason",
    "breach",
    ...first,
  )) as {
    id: number;
  };
  expect((await run("rollout", "approve", String(id), ...first)).errors[0]).toContain("(conflict)");
  expect((await run("rollout", "approve", String(id))).errors[0]).toContain("of one line");
  const approved = await run("rollout", "approve", String(id), ...second);
  expect(approved.lines[1]).toBe("running: wave 1 waits for 4 hosts");
  expect((await played(run("rollout", "watch", String(id)))).code).toBe(0);
});

test("a pinned host is passed by until it is unpinned", async () => {
  expect((await run("pin", "w1", "--reason", "migration")).lines).toEqual(["w1 is pinned"]);
  declare();
  const applied = await run("apply", "-f", catalog, "--yes");
  expect(applied.lines.at(-1)).toMatch(
    /^revision \d+: published to 3 hosts, withheld from 1 pinned host$/,
  );
  const shown = (await run("hosts", "w1")).lines.join("\n");
  expect(shown).toMatch(/^warning +pinned: migration$/m);
  expect(shown).toMatch(/^warning +revisions withheld from it: 1$/m);
  expect((await run("unpin", "w1")).lines).toEqual(["w1 is not pinned"]);
  const { code, lines } = await played(run("rollout", "start", "--wait"));
  expect({ code, first: lines[0] }).toEqual({
    code: 0,
    first: expect.stringContaining("1 wave of 1 host "),
  });
});
