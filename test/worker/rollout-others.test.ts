/** Rollouts beside other things that happen meanwhile: an emergency that waits, and a commit that a host must wait for. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Change } from "#schema/intent.ts";
import { RolloutRequest } from "#schema/rollout.ts";
import { act } from "#worker/rollouts/act.ts";
import { readRollout } from "#worker/rollouts/read.ts";
import { startRollout } from "#worker/rollouts/start.ts";
import { readHostPage } from "#worker/rollouts/rows.ts";
import { commit } from "#worker/commits/commit.ts";
import { openPlane, type Plane } from "#test/support/plane.ts";

let plane: Plane;
beforeEach(async () => {
  plane = await openPlane();
  await plane.commit(...["a", "b", "c"].map(host));
  for (const name of ["alice", "bob"])
    await plane.operator("POST", "/v1/tokens", { name, scopes: ["rollouts:write"] });
});
afterEach(() => plane.close());

const host = (key: string): Change => ({
  op: "put",
  kind: "host",
  key,
  body: { addresses: [], roles: ["web"], labels: {} },
});
const grant = (key: string, from: string, port: number): Change => ({
  op: "put",
  kind: "service",
  key,
  body: { ingress: [{ from, port, proto: "tcp" }], to: ["role:web"] },
});
const made = async (release: "now" | "staged", ...changes: readonly Change[]) => {
  const result = await commit(plane.ports, "test", {
    message: "m",
    source: "api",
    release,
    changes: [...changes],
  });
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result)}`);
  return result;
};
const start = (over: object = {}) =>
  startRollout(plane.ports, "token:alice", RolloutRequest.parse({ note: "n", ...over }));
const view = (id: number) => readRollout(plane.ports.sql, id);
const served = async () =>
  (
    await plane.ports.sql
      .prepare("SELECT host, seq, bundle_sha256 FROM repository ORDER BY host")
      .all()
  ).results;
const standings = async (id: number) => {
  const entries = await readHostPage(plane.ports.sql, id, { cursor: "", limit: 10 });
  return entries.map(({ standing }) => standing);
};

test("an emergency that nobody else approved takes no host from a rollout that runs", async () => {
  await made("staged", grant("web", "any", 443));
  const { id: older } = await start();
  const [before, given] = [await standings(older), await served()];
  const { id, supersedes } = await start({ emergency: true });
  expect(supersedes).toEqual([]);
  expect([await standings(older), await served()]).toEqual([before, given]);
  expect(await view(older)).toMatchObject({ status: "running", superseded_by: null });
  await act(plane.ports, "token:bob", id, "approve", {});
  // The host that has it already stays with the rollout that gave it.
  expect((await standings(older)).toSorted()).toEqual(["assigned", "superseded", "superseded"]);
  expect(await standings(id)).toEqual(["assigned", "assigned"]);
  const { results } = await plane.ports.sql
    .prepare("SELECT body ->> '$.supersedes' AS taken FROM audit WHERE action = 'rollout.approve'")
    .all();
  expect(results).toEqual([{ taken: JSON.stringify([older]) }]);
});

test("an emergency that is never approved leaves the rollout beside it to finish", async () => {
  await made("staged", grant("web", "any", 443));
  const { id: older } = await start();
  const before = await standings(older);
  const { id } = await start({ emergency: true });
  await act(plane.ports, "alice", id, "halt", {});
  expect(await view(older)).toMatchObject({ status: "running" });
  expect(await standings(older)).toEqual(before);
});

test("a host that a commit had to wait for is named, and the next rollout brings it both", async () => {
  const before = await served();
  await made(
    "staged",
    { op: "put", kind: "zone", key: "lab", body: { cidrs: ["10.1.0.0/16"] } },
    grant("web", "any", 443),
  );
  const late = await made("now", grant("late", "zone:lab", 81));
  expect(late.held.map(({ host: key, as }) => [key, as])).toEqual([
    ["a", "waiting"],
    ["b", "waiting"],
    ["c", "waiting"],
  ]);
  expect(late.held[0]?.because).toContain("lab");
  expect(await served()).toEqual(before);
  const { id } = await start({ strategy: { kind: "all" } });
  expect(await standings(id)).toEqual(["assigned", "assigned", "assigned"]);
  const revisions = await plane.ports.sql.prepare("SELECT DISTINCT revision FROM repository").all();
  expect(revisions.results).toEqual([{ revision: late.revision }]);
});
