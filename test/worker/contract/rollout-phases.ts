/** What a rollout that takes and gives promises between its two phases, and when it has one phase only. */
import { expect, test } from "vitest";
import { decodeBundle } from "#schema/bundle.ts";
import type { Change } from "#schema/intent.ts";
import { prepare } from "#core/simulate/index.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import type { Harness } from "./harness.ts";
import { bake, commit, digests, grant, report, served, start, view } from "./rollout-play.ts";

export function twoPhases(h: () => Harness): void {
  test("nobody gains before everybody who loses has committed", async () => {
    await commit(h(), [grant("move", "host:db", 5432)]);
    const old = await digests(h(), ["db", "cache"]);
    await commit(h(), [grant("move", "host:cache", 5432)], "staged");
    const { id, waves } = await start(h(), { strategy: { kind: "all" }, hosts: ["db", "cache"] });
    expect(waves.map(({ phase, hosts }) => [phase, hosts])).toEqual([
      ["narrow", 1],
      ["widen", 1],
    ]);
    const [db, cache] = await digests(h(), ["db", "cache"]);
    expect([db === old[0], cache === old[1]]).toEqual([false, true]);
    h().advance(2_000_000);
    await maintain(h().ports);
    expect((await digests(h(), ["cache"]))[0]).toBe(old[1]);
    await report(h(), "db");
    await bake(h());
    expect((await digests(h(), ["cache"]))[0]).toBe(old[0]);
    await report(h(), "cache");
    await bake(h());
    expect(await view(h(), id)).toMatchObject({ status: "completed" });
    expect(
      await h().count("SELECT count(*) AS n FROM withheld WHERE host IN ('db', 'cache')"),
    ).toBe(0);
  });
}

/** What a change takes is asked of packets, not of bytes. */
export function takings(h: () => Harness): void {
  test("a port that becomes a range takes nothing: one phase, in which who has it keeps it", async () => {
    const rangeOf = (port: number | string): Change => ({
      op: "put",
      kind: "service",
      key: "move",
      body: { ingress: [{ from: "any", port, proto: "tcp" }], to: ["host:db"] },
    });
    await commit(h(), [rangeOf(443)]);
    const old = await digests(h(), ["db"]);
    await commit(h(), [rangeOf("443-444")], "staged");
    const wider = await start(h(), { hosts: ["db"] });
    expect(wider.waves.map(({ phase }) => phase)).toEqual(["widen"]);
    await report(h(), "db");
    await bake(h());
    expect(await view(h(), wider.id)).toMatchObject({ status: "completed" });
    expect(await digests(h(), ["db"])).not.toEqual(old);
  });

  test("a grant said otherwise takes nothing and gives nothing, and comes with what others are given", async () => {
    const said = (what: object, other: number): Change[] =>
      [
        {
          op: "put",
          kind: "service",
          key: "move",
          body: { ingress: [{ from: "any", ...what }], to: ["host:db"] },
        },
        grant("also", "host:cache", other),
      ] as Change[];
    await commit(h(), said({ port: 443, proto: "tcp" }, 1));
    for (const [what, port] of [
      [{ macro: "https" }, "1-2"],
      [{ port: 443, proto: "tcp" }, "1-3"],
    ] as const) {
      const body = { ingress: [{ from: "any", port, proto: "tcp" as const }], to: ["host:cache"] };
      await commit(
        h(),
        [...said(what, 1).slice(0, 1), { op: "put", kind: "service", key: "also", body }],
        "staged",
      );
      const { id, waves } = await start(h(), { strategy: { kind: "all" }, hosts: ["db", "cache"] });
      expect(waves.map(({ phase, hosts }) => [phase, hosts])).toEqual([["widen", 2]]);
      await report(h(), "db");
      await report(h(), "cache");
      await bake(h());
      expect(await view(h(), id)).toMatchObject({ status: "completed" });
    }
    await commit(h(), [{ op: "delete", kind: "service", key: "also" }]);
  });
}

export function betweenPhases(h: () => Harness): void {
  test("a host that loses and gains keeps, between the two phases, what it had and is to have", async () => {
    const tcp = (from: string, port: number | string) => ({ from, port, proto: "tcp" as const });
    const to = (key: string, target: string, ...ingress: ReturnType<typeof tcp>[]): Change => ({
      op: "put",
      kind: "service",
      key,
      body: { ingress, to: [target] },
    });
    await commit(h(), [
      to("move", "host:db", tcp("any", 443), tcp("any", 22)),
      to("also", "host:cache"),
    ]);
    await commit(
      h(),
      [to("move", "host:db", tcp("any", "443-444")), to("also", "host:cache", tcp("any", 22))],
      "staged",
    );
    const { id, waves } = await start(h(), { strategy: { kind: "all" }, hosts: ["db", "cache"] });
    expect(waves.map(({ phase, hosts }) => [phase, hosts])).toEqual([
      ["narrow", 1],
      ["widen", 2],
    ]);
    const { bundle_sha256 } = await served(h(), "db");
    const bytes = await h().ports.blobs.get(bundle_sha256);
    const decoded = bytes === undefined ? undefined : decodeBundle(bytes);
    if (decoded?.ok !== true) throw new Error("expected a bundle");
    const judge = prepare(decoded.ruleset);
    const verdicts = [22, 443, 444].map(
      (port) =>
        judge({
          hook: "input",
          iif: "eth0",
          source: "198.51.100.7",
          destination: "192.0.2.1",
          protocol: "tcp",
          port,
          state: "new",
        }).verdict,
    );
    expect(verdicts).toEqual(["drop", "accept", "drop"]);
    await report(h(), "db");
    await bake(h());
    await report(h(), "db");
    await report(h(), "cache");
    await bake(h());
    expect(await view(h(), id)).toMatchObject({ status: "completed" });
    await commit(h(), [{ op: "delete", kind: "service", key: "also" }]);
  });
}

export function pinnedHosts(h: () => Harness): void {
  test("pinned hosts are passed by and listed, and get it by a later rollout", async () => {
    await h().call("PUT", "/v1/hosts/db/pin", { body: { reason: "migration" } });
    const old = await served(h(), "db");
    expect(await commit(h(), [grant("both", "role:base", 22)], "staged")).toMatchObject({
      held: [
        { host: "cache", as: "staged" },
        { host: "db", as: "pinned" },
      ],
    });
    const { id } = await start(h(), { hosts: ["db", "cache"] });
    await report(h(), "cache");
    await bake(h());
    expect(await view(h(), id)).toMatchObject({
      status: "completed",
      attention: [{ host: "db", standing: "skipped", detail: "pinned" }],
    });
    expect(await served(h(), "db")).toEqual(old);
    expect((await h().call("DELETE", "/v1/hosts/db/pin")).status).toBe(200);
    const later = await start(h(), { hosts: ["db"] });
    expect((await served(h(), "db")).seq).toBe(old.seq + 1);
    await report(h(), "db");
    await bake(h());
    expect(await view(h(), later.id)).toMatchObject({ status: "completed" });
  });
}
