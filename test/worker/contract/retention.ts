/** What maintenance lets go of when its time is over, and what it never does. */
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { hashSha256 } from "#worker/lib/encoding.ts";
import { maintain } from "#worker/maintenance/maintain.ts";
import type { Blobs, Ports } from "#worker/ports/index.ts";
import { commit } from "#worker/commits/commit.ts";
import { hostToken } from "./enrolled.ts";
import { type Adapter, type Harness, openHarness } from "./harness.ts";
import { reportOf } from "./reports.ts";

const day = 86_400_000;

export function retentionContract(name: string, open: () => Promise<Adapter>): void {
  describe(`what is kept on ${name}`, () => {
    let h: Harness;
    let made = 0;
    const host = () => `h${made}`;
    beforeEach(async () => {
      h ??= await openHarness(open);
      made += 1;
      await h.put("host", host(), { roles: [host()] });
    });
    afterAll(() => h.close());

    test("reports go after a month, and each host's last one stays", async () => {
      const token = await hostToken(h, host());
      const send = (n: number) =>
        h.call("POST", "/v1/agent/report", { token: token, body: reportOf(n, {}) });
      const numbers = async () => {
        const { results } = await h.ports.sql
          .prepare("SELECT number FROM report WHERE host = ?1 ORDER BY n")
          .bind(host())
          .all<{ readonly number: number }>();
        return results.map(({ number }) => number);
      };
      await send(1);
      h.advance(day / 2);
      await send(2);
      await send(3);
      h.advance(29.5 * day);
      await maintain(h.ports);
      expect(await numbers()).toEqual([1, 2, 3]);
      h.advance(1);
      await maintain(h.ports);
      expect(await numbers()).toEqual([2, 3]);
      h.advance(365 * day);
      await maintain(h.ports);
      expect(await numbers()).toEqual([3]);
    });

    test("answers are given again for a day", async () => {
      const body = { message: "m", changes: [{ op: "put", kind: "zone", key: host(), body: {} }] };
      const send = () =>
        h.call("POST", "/v1/commits", { body, headers: { "idempotency-key": host() } });
      const first = await send();
      h.advance(day - 1);
      expect((await send()).text).toBe(first.text);
      h.advance(1);
      await maintain(h.ports);
      expect(await h.count("SELECT count(*) AS n FROM idempotency")).toBe(0);
    });

    const shelf = shelfOf(() => h, host);
    bundles(shelf);
    races(shelf);
  });
}

/** A host's bundles, as they are published and kept. */
function shelfOf(h: () => Harness, host: () => string) {
  /** Gives the host other rules. @returns the digest of its bundle */
  const publish = async (port: number, ports: Ports = h().ports): Promise<string> => {
    const body = { ingress: [{ from: "any", port, proto: "tcp" as const }] };
    const change = { op: "put", kind: "service", key: host(), body } as const;
    const made = await commit(ports, "test", {
      message: "m",
      source: "api",
      release: "now",
      changes: [change],
    });
    if (!made.ok) throw new Error(`refused: ${JSON.stringify(made)}`);
    const [first] = made.hosts;
    return first?.bundle_sha256 ?? "";
  };
  const has = async (sha256: string): Promise<boolean> =>
    (await h().ports.blobs.get(sha256)) !== undefined;
  /** Ports of another process: its writers do not wait for those of this one. */
  const beside = (over: Partial<Blobs>): Ports => {
    const { prepare, batch } = h().ports.sql;
    return {
      ...h().ports,
      sql: { prepare: prepare.bind(h().ports.sql), batch: batch.bind(h().ports.sql) },
      blobs: { ...h().ports.blobs, ...over },
    };
  };
  return { h, host, publish, has, beside };
}
type Shelf = ReturnType<typeof shelfOf>;

function bundles({ h, host, publish, has }: Shelf): void {
  test("bundles go three months after the last host was given another, which is audited, and no other does", async () => {
    const stray = new TextEncoder().encode(`stray of ${host()}`);
    const strayName = await hashSha256(`stray of ${host()}`);
    await h().ports.blobs.put(strayName, stray);
    const waiting = await hashSha256(`waiting for ${host()}`);
    await h().ports.blobs.put(waiting, new TextEncoder().encode(`waiting for ${host()}`));
    await h()
      .ports.sql.prepare("INSERT INTO pending VALUES (?1, 99, 1, ?2, 1, '{}', 0, '[]', 0)")
      .bind(`another than ${host()}`, waiting)
      .run();
    const old = await publish(443);
    h().advance(60 * day);
    const served = await publish(444);
    h().advance(90 * day);
    await maintain(h().ports);
    expect([await has(old), await has(served), await has(strayName)]).toEqual([true, true, false]);
    h().advance(1);
    await maintain(h().ports);
    expect([await has(old), await has(served)]).toEqual([false, true]);
    const { results } = await h()
      .ports.sql.prepare(
        "SELECT body FROM audit WHERE action = 'bundles.forget' ORDER BY seq DESC LIMIT 1",
      )
      .all();
    expect(results).toEqual([{ body: JSON.stringify({ bundles: [old] }) }]);
    h().advance(3650 * day);
    await maintain(h().ports);
    expect([await has(served), await has(waiting)]).toEqual([true, true]);
  });
}

function races({ h, publish, has, beside }: Shelf): void {
  test("a bundle that a commit takes up again while it is removed is put back", async () => {
    const old = await publish(443);
    await publish(444);
    h().advance(91 * day);
    const taken: string[] = [];
    const remove: Blobs["remove"] = async (sha256) => {
      // The commit finds the bundle there, stores nothing, and is first.
      if (sha256 === old && taken.length === 0) taken.push(await publish(443, beside({})));
      await h().ports.blobs.remove(sha256);
    };
    await maintain(beside({ remove }));
    expect([taken, await has(old)]).toEqual([[old], true]);
  });

  test("a commit whose bundle is removed before it is done stores it anew", async () => {
    const old = await publish(443);
    await publish(444);
    h().advance(91 * day);
    const missing: boolean[] = [];
    const put: Blobs["put"] = async (sha256, bytes) => {
      await h().ports.blobs.put(sha256, bytes);
      if (sha256 !== old || missing.length > 0) return;
      await maintain(beside({}));
      missing.push(!(await has(old)));
    };
    expect(await publish(443, beside({ put }))).toBe(old);
    expect([missing, await has(old)]).toEqual([[true], true]);
  });

  test("what was removed is put back when the removal cannot be written down", async () => {
    const old = await publish(443);
    await publish(444);
    h().advance(91 * day);
    const ports = beside({});
    const batch: Ports["sql"]["batch"] = () => Promise.reject(new Error("the store is away"));
    await expect(maintain({ ...ports, sql: { ...ports.sql, batch } })).rejects.toThrow(
      "old bundles",
    );
    expect(await has(old)).toBe(true);
  });
}
