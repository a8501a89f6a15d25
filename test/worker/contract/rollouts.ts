/** Rollouts in the store: who is given what and when, what goes back, and that it is all written once; on every adapter. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Change } from "#schema/intent.ts";
import { RolloutView } from "#schema/rollout.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import { verifyAudit } from "#worker/audit/verify.ts";
import {
  bake,
  commit,
  digests,
  grant,
  host,
  level,
  receive,
  report,
  served,
  start,
  view,
  webs,
} from "./rollout-play.ts";
import { betweenPhases, pinnedHosts, takings, twoPhases } from "./rollout-phases.ts";
import { type Adapter, everything, expectProblem, type Harness, openHarness } from "./harness.ts";

export function rolloutContract(name: string, open: () => Promise<Adapter>): void {
  describe(`rollouts on ${name}`, () => {
    let h: Harness;
    beforeAll(async () => {
      h = await openHarness(open);
      await commit(h, [
        ...webs.map((key) => host(key, "web")),
        host("db", "base"),
        host("cache", "base"),
      ]);
    });
    afterAll(() => h.close());
    promoted(() => h);
    halted(() => h);
    twoPhases(() => h);
    takings(() => h);
    betweenPhases(() => h);
    pinnedHosts(() => h);
    goingBack(() => h);
    takenOver(() => h);
    emergencies(() => h);
    reading(() => h);
  });
}

function promoted(h: () => Harness): void {
  test("each wave gets the revision only when the one before committed and baked", async () => {
    const old = await digests(h());
    const { revision } = await commit(h(), [grant("web", "role:web", 443)], "staged");
    const { id, waves } = await start(h());
    expect(waves.map(({ phase, hosts }) => [phase, hosts])).toEqual([
      ["widen", 1],
      ["widen", 1],
      ["widen", 2],
    ]);
    let exposed = 0;
    for (const { hosts } of waves) {
      exposed += hosts;
      const now = await digests(h());
      expect(now.filter((digest, i) => digest !== old[i])).toHaveLength(exposed);
      const changed = webs.filter((_, i) => now[i] !== old[i]);
      for (const key of changed) expect((await served(h(), key)).revision).toBe(revision);
      for (const key of changed) await report(h(), key);
      expect((await digests(h())).filter((digest, i) => digest !== old[i])).toHaveLength(exposed);
      await bake(h());
    }
    expect(await view(h(), id)).toMatchObject({ status: "completed", reason: "" });
    expect(await h().count("SELECT count(*) AS n FROM withheld")).toBe(0);
    expect(new Set(await digests(h())).size).toBe(1);
  });

  test("repeated reports, late reports and idle minutes write nothing", async () => {
    await commit(h(), [grant("web", "role:web", 443, 444)], "staged");
    const old = await digests(h());
    const { id } = await start(h());
    const first = webs[(await digests(h())).findIndex((digest, i) => digest !== old[i])] ?? "w1";
    const said = await report(h(), first);
    const before = await everything(h());
    await receive(h(), first, said);
    await receive(h(), first, { ...said, n: 1, state: "reverted" });
    await maintain(h().ports);
    await maintain(h().ports);
    expect(await everything(h())).toEqual(before);
    expect(await view(h(), id)).toMatchObject({ status: "running", wave: 1 });
    await h().call("POST", `/v1/rollouts/${id}/rollback`, { body: { reason: "done with it" } });
    expect(await digests(h())).toEqual(old);
  });
}

function halted(h: () => Harness): void {
  test("a host that takes itself back halts it at once, and old bytes return under a higher seq", async () => {
    const old = await digests(h());
    const seqs = new Map<string, number>();
    for (const key of webs) seqs.set(key, (await served(h(), key)).seq);
    const { id, supersedes } = await start(h());
    expect(supersedes).toEqual([id - 1]);
    const at = (await digests(h())).findIndex((digest, i) => digest !== old[i]);
    const first = webs[at] ?? "w1";
    const given = await served(h(), first);
    await report(h(), first, "reverted", false);
    const after = await view(h(), id);
    expect(after).toMatchObject({
      status: "rolled_back",
      attention: [{ host: first, standing: "reverted" }],
    });
    expect(await digests(h())).toEqual(old);
    expect((await served(h(), first)).seq).toBe(given.seq + 1);
    const untouched = webs.find((key) => key !== first) ?? "";
    expect((await served(h(), untouched)).seq).toBe(seqs.get(untouched));
    for (const key of webs) expect(await level(h(), key)).toBe("withheld");
    await bake(h());
    expect(await digests(h())).toEqual(old);
  });

  test("going on needs a reason, halting does not, and what does not fit is refused", async () => {
    const id = await h().count("SELECT max(id) AS n FROM rollout");
    expectProblem(
      await h().call("POST", `/v1/rollouts/${id}/resume`, { body: {} }),
      400,
      "bad_request",
    );
    expectProblem(
      await h().call("POST", `/v1/rollouts/${id}/pause`, { body: { reason: "x" } }),
      409,
      "conflict",
    );
    const resumed = await h().call("POST", `/v1/rollouts/${id}/resume`, {
      body: { reason: "fixed" },
    });
    expect(resumed.json).toMatchObject({ status: "running", wave: 1 });
    const halt = await h().call("POST", `/v1/rollouts/${id}/halt`, { body: {} });
    expect(halt.json).toMatchObject({ status: "halted" });
    const now = await digests(h());
    await bake(h());
    expect(await digests(h())).toEqual(now);
    await h().call("POST", `/v1/rollouts/${id}/rollback`, { body: { reason: "done" } });
  });
}

function goingBack(h: () => Harness): void {
  test("who loses gets old bytes again only when nobody runs any more what was given", async () => {
    await commit(h(), [grant("move", "host:cache", 5432)]);
    const before = { db: await served(h(), "db"), cache: await served(h(), "cache") };
    await commit(h(), [grant("move", "host:db", 5433)], "staged");
    const { id } = await start(h(), { strategy: { kind: "all" }, hosts: ["db", "cache"] });
    await report(h(), "cache");
    await bake(h());
    expect(await view(h(), id)).toMatchObject({ phase: "widen", wave: 1 });
    await report(h(), "db");
    const back = await h().call("POST", `/v1/rollouts/${id}/rollback`, {
      body: { reason: "not that one" },
    });
    expect(back.json).toMatchObject({ status: "halted" });
    expect(await served(h(), "db")).toMatchObject({ bundle_sha256: before.db.bundle_sha256 });
    expect((await served(h(), "cache")).bundle_sha256).not.toBe(before.cache.bundle_sha256);
    await maintain(h().ports);
    expect((await served(h(), "cache")).bundle_sha256).not.toBe(before.cache.bundle_sha256);
    await report(h(), "db");
    expect(await view(h(), id)).toMatchObject({ status: "rolled_back", phase: "narrow" });
    expect(await served(h(), "cache")).toMatchObject({ bundle_sha256: before.cache.bundle_sha256 });
    const resumed = await h().call("POST", `/v1/rollouts/${id}/resume`, {
      body: { reason: "it is" },
    });
    expect(resumed.json).toMatchObject({ status: "running", phase: "narrow" });
    await report(h(), "cache");
    await bake(h());
    await report(h(), "db");
    await bake(h());
    expect(await view(h(), id)).toMatchObject({ status: "completed" });
    await commit(h(), [grant("move", "host:cache", 5432)]);
  });
}

function takenOver(h: () => Harness): void {
  test("a newer rollout takes over what an older one has not finished, and both say so", async () => {
    const old = await digests(h());
    const older = await start(h());
    await commit(h(), [grant("web", "role:web", 443, 445)], "staged");
    const newer = await start(h());
    expect(newer.supersedes).toEqual([older.id]);
    expect(await view(h(), older.id)).toMatchObject({
      status: "superseded",
      superseded_by: newer.id,
    });
    await h().call("POST", `/v1/rollouts/${newer.id}/rollback`, { body: { reason: "all back" } });
    await bake(h());
    expect(await digests(h())).toEqual(old);
  });

  test("what later commits stand on goes back together with them", async () => {
    await h().call("POST", `/v1/rollouts`, { body: { note: "x", hosts: ["nobody"] } });
    await commit(
      h(),
      [
        { op: "put", kind: "zone", key: "lab", body: { cidrs: ["10.1.0.0/16"] } },
        grant("z", "host:cache", 80),
      ],
      "staged",
    );
    const old = await digests(h(), ["cache"]);
    const { id } = await start(h(), { hosts: ["cache"] });
    expect(await digests(h(), ["cache"])).not.toEqual(old);
    const fromLab: Change = {
      op: "put",
      kind: "service",
      key: "late",
      body: { ingress: [{ from: "lab", port: 81, proto: "tcp" }], to: ["host:cache"] },
    };
    expect(await commit(h(), [fromLab])).toMatchObject({ hosts: [{ host: "cache" }], held: [] });
    await h().call("POST", `/v1/rollouts/${id}/rollback`, { body: { reason: "all back" } });
    expect(await digests(h(), ["cache"])).toEqual(old);
  });
}

function emergencies(h: () => Harness): void {
  test("an emergency changes nothing before two people approved, then everybody at once", async () => {
    const old = await digests(h());
    await commit(h(), [grant("web", "role:web", 446)], "staged");
    const scopes = ["rollouts:write", "rollouts:approve"];
    const person = async (name: string): Promise<string> => {
      const made = await h().call("POST", "/v1/tokens", { body: { name, scopes } });
      return (made.json as { readonly token: string }).token;
    };
    const [first, second] = [await person("first"), await person("second")];
    const body = { note: "now", emergency: true, hosts: webs };
    const started = await h().call("POST", "/v1/rollouts", { body, token: first });
    const { id, status } = RolloutView.parse(started.json);
    expect(status).toBe("awaiting_approval");
    const approve = (token: string) =>
      h().call("POST", `/v1/rollouts/${id}/approve`, { body: {}, token });
    expectProblem(await approve(first), 409, "conflict");
    expect(await digests(h())).toEqual(old);
    const approved = await approve(second);
    expect(approved.json).toMatchObject({
      status: "running",
      approved_by: ["token:first", "token:second"],
    });
    expect((await digests(h())).every((digest, i) => digest !== old[i])).toBe(true);
    for (const key of webs) await report(h(), key);
    await maintain(h().ports);
    expect(await view(h(), id)).toMatchObject({ status: "completed" });
  });

  test("the audit chain tells all of it, and stands", async () => {
    expect(await verifyAudit(h().ports.sql)).toMatchObject({ ok: true });
    const id = await h().count("SELECT max(id) AS n FROM rollout");
    const actions = await h()
      .ports.sql.prepare("SELECT action FROM audit WHERE body ->> '$.rollout' = ?1 ORDER BY seq")
      .bind(id)
      .all<{ action: string }>();
    expect(actions.results.map(({ action }) => action)).toEqual(
      expect.arrayContaining(["rollout.start", "rollout.approve", "rollout.complete"]),
    );
  });
}

function reading(h: () => Harness): void {
  test("rollouts are listed newest first, and their hosts page by page", async () => {
    const list = await h().call("GET", "/v1/rollouts?limit=2");
    const { items, next_cursor } = list.json as { items: RolloutView[]; next_cursor: string };
    const [newest, before] = items.map(({ id }) => id);
    expect(newest).toBe((before ?? 0) + 1);
    expect(
      (await h().call("GET", `/v1/rollouts?limit=1&cursor=${next_cursor}`)).json,
    ).toMatchObject({
      items: [{ id: (before ?? 0) - 1 }],
    });
    const hosts = async (search: string) =>
      (await h().call("GET", `/v1/rollouts/${newest}/hosts${search}`)).json as {
        items: { host: string; standing: string }[];
        next_cursor: string | null;
      };
    const first = await hosts("?limit=3");
    const rest = await hosts(`?limit=3&cursor=${encodeURIComponent(first.next_cursor ?? "")}`);
    const all = [...first.items, ...rest.items];
    expect(all.map(({ host: key, standing }) => [key, standing])).toEqual(
      webs.map((key) => [key, "committed"]),
    );
    expectProblem(await h().call("GET", "/v1/rollouts/4711/hosts"), 404, "not_found");
  });

  test("a rollout that is over is one event, and the stream ends", async () => {
    const id = await h().count("SELECT max(id) AS n FROM rollout");
    const stream = await h().call("GET", `/v1/rollouts/${id}`, {
      headers: { accept: "text/event-stream" },
    });
    expect(stream.headers.get("content-type")).toContain("text/event-stream");
    const [data = ""] = [...stream.text.matchAll(/^data: (.*)$/gm)].map(([, text]) => text);
    expect(JSON.parse(data)).toEqual(await view(h(), id));
  });
}
