/** What a host is served while revisions are withheld from it, on every adapter. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeBundle } from "#schema/bundle.ts";
import type { Change } from "#schema/intent.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { createApp } from "#worker/app.ts";
import { commit, type MadeCommit } from "#worker/commits/commit.ts";
import {
  type Adapter,
  type Harness,
  hostChange,
  memberChange,
  openHarness,
  overlayChange,
} from "./harness.ts";

export function releaseContract(name: string, open: () => Promise<Adapter>): void {
  describe(`releases on ${name}`, () => {
    let h: Harness;
    beforeAll(async () => {
      h = await openHarness(open);
      await made(h, [hostChange("gw"), hostChange("other"), overlayChange("office", "gw", 8)]);
      await made(h, [memberChange("office/alice", "dev", "10.8.0.2")]);
    });
    afterAll(() => h.close());
    stagedCommits(() => h);
    pinnedHosts(() => h);
    stagedOnly(() => h);
  });
}

async function made(
  h: Harness,
  changes: readonly Change[],
  release: "now" | "staged" = "now",
): Promise<MadeCommit> {
  const result = await h.commit(changes, undefined, release);
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result)}`);
  return result;
}

const service = (key: string, port: number): Change => ({
  op: "put",
  kind: "service",
  key,
  body: { ingress: [{ from: "any", port, proto: "tcp" }], to: ["host:gw"] },
});

interface Repository {
  readonly seq: number;
  readonly revision: number;
  readonly bundle_sha256: string;
}

const repository = async (h: Harness, host: string): Promise<Repository | null> =>
  h.ports.sql
    .prepare("SELECT seq, revision, bundle_sha256 FROM repository WHERE host = ?1")
    .bind(host)
    .first<Repository>();

async function served(h: Harness, host: string): Promise<Ruleset> {
  const bytes = await h.ports.blobs.get((await repository(h, host))?.bundle_sha256 ?? "");
  const decoded = bytes === undefined ? undefined : decodeBundle(bytes);
  if (decoded?.ok !== true) throw new Error(`${host} is served nothing`);
  return decoded.ruleset;
}

const rowsOf = ({ rules }: Ruleset): readonly string[] =>
  rules.map(({ row }) => row.replace(/#.*/, ""));
const elementsOf = (ruleset: Ruleset): readonly string[] =>
  ruleset.sets.flatMap(({ elements }) => elements);

function stagedCommits(h: () => Harness): void {
  test("publish nothing, and say which hosts would change", async () => {
    const before = await repository(h(), "gw");
    const result = await made(h(), [service("web", 443)], "staged");
    expect(result).toMatchObject({ revision: 3, hosts: [], held: [{ host: "gw", as: "staged" }] });
    expect(await repository(h(), "gw")).toEqual(before);
    const answer = await h().call("POST", "/v1/commits", {
      body: { message: "m", release: "staged", changes: [service("web", 8443)] },
    });
    expect(answer.json).toMatchObject({
      revision: 4,
      hosts: [],
      staged: ["gw"],
      pinned: [],
      waiting: [],
    });
  });

  test("hold nobody back whose bytes stay the same", async () => {
    const result = await made(
      h(),
      [{ op: "put", kind: "zone", key: "lan", body: { cidrs: [] } }],
      "staged",
    );
    expect(result).toMatchObject({ changed: true, hosts: [], held: [] });
  });

  test("stay out of what a hook brings to the same host at once", async () => {
    const before = await repository(h(), "gw");
    const result = await made(h(), [memberChange("office/bob", "dev", "10.8.0.3")]);
    expect(result.hosts).toMatchObject([{ host: "gw", seq: (before?.seq ?? 0) + 1 }]);
    const ruleset = await served(h(), "gw");
    expect(elementsOf(ruleset)).toContain("10.8.0.3");
    expect(rowsOf(ruleset)).not.toContain("services/web");
    await made(h(), [{ op: "delete", kind: "member", key: "office/bob" }]);
    expect((await repository(h(), "gw"))?.bundle_sha256).toBe(before?.bundle_sha256);
  });

  test("make a later change wait that cannot do without them, and say why", async () => {
    const overlay = overlayChange("office", "gw", 8);
    if (overlay.op !== "put" || overlay.kind !== "overlay") throw new Error("an overlay is put");
    const groups = [...overlay.body.groups, "qa"];
    await made(h(), [{ ...overlay, body: { ...overlay.body, groups } }], "staged");
    const before = await repository(h(), "gw");
    const result = await made(h(), [memberChange("office/carol", "qa", "10.8.0.4")]);
    const because: unknown = expect.stringContaining("group");
    expect(result.held).toMatchObject([{ host: "gw", as: "waiting", because }]);
    expect(await repository(h(), "gw")).toEqual(before);
  });

  test("are told by a plan before they are made, with what they would change", async () => {
    const planned = await h().call("POST", "/v1/plan", {
      body: { release: "staged", changes: [hostChange("new")] },
    });
    expect(planned.json).toMatchObject({ staged: ["new"], hosts: [{ host: "new", before: null }] });
    expect(await h().count("SELECT count(*) AS n FROM withheld WHERE host = 'new'")).toBe(0);
  });

  test("leave a host running that they delete, and a host unserved that they declare", async () => {
    await made(h(), [hostChange("leaving")]);
    const before = await repository(h(), "leaving");
    await made(
      h(),
      [{ op: "delete", kind: "host", key: "leaving" }, hostChange("coming")],
      "staged",
    );
    await made(h(), [memberChange("office/dave", "dev", "10.8.0.5")]);
    expect(await repository(h(), "leaving")).toEqual(before);
    expect(await repository(h(), "coming")).toBeNull();
  });
}

function pinnedHosts(h: () => Harness): void {
  test("a pinned host gets nothing of what is committed, and the answer lists it", async () => {
    await h().ports.sql.prepare("INSERT INTO pin VALUES ('other', 0, 'test', 'frozen')").run();
    const before = await repository(h(), "other");
    const toOther: Change = {
      op: "put",
      kind: "service",
      key: "db",
      body: { ingress: [{ from: "any", port: 5000, proto: "tcp" }], to: ["host:other"] },
    };
    expect((await made(h(), [toOther])).held).toMatchObject([{ host: "other", as: "pinned" }]);
    expect(await repository(h(), "other")).toEqual(before);
    await h().ports.sql.prepare("DELETE FROM pin").run();
  });
}

function stagedOnly(h: () => Harness): void {
  test("where releases are staged, only members change hosts at once", async () => {
    const ports = { ...h().ports, settings: { ...h().ports.settings, release: "staged" as const } };
    const say = (release: "now" | "staged", ...changes: readonly Change[]) =>
      commit(ports, "test", { message: "m", source: "api", release, changes: [...changes] });
    const ssh = service("ssh", 22);
    expect(await say("now", hostChange("third"))).toEqual({ ok: false, code: "release_staged" });
    expect(await say("now", ssh)).toEqual({ ok: false, code: "release_staged" });
    const zone: Change = { op: "put", kind: "zone", key: "wan", body: { cidrs: [] } };
    expect(await say("now", zone)).toMatchObject({ ok: true, hosts: [] });
    expect(await say("now", memberChange("office/eve", "ops", "10.8.0.9"))).toMatchObject({
      ok: true,
    });
    expect(await say("staged", ssh)).toMatchObject({
      ok: true,
      held: [{ host: "gw", as: "staged" }],
    });
    const refused = await createApp(ports).request("/v1/hosts/third", {
      method: "PUT",
      headers: { authorization: `Bearer ${h().admin}`, "content-type": "application/json" },
      body: "{}",
    });
    expect(refused.status).toBe(409);
    expect(await refused.text()).toContain("release_staged");
  });
}
