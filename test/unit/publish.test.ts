import { afterEach, describe, expect, test } from "vitest";
import { buildRoot, makeRootKey, signRoot } from "#cli/root/name.ts";
import { BundleCustom, sizeLimits } from "#schema/bundle.ts";
import { emptyRuleset, type Ruleset } from "#schema/ruleset.ts";
import type { Root } from "#schema/tuf.ts";
import { onlineKeysOf, memorySigner } from "#test/support/signing.ts";
import { type Serve, stockClient, type StockClient } from "#test/support/stock-tuf.ts";
import type { OnlineRole } from "#worker/ports/index.ts";
import { BundleTooLarge, publishHost, renewLease } from "#worker/signing/repository.ts";
import type { Published, Repository } from "#worker/signing/types.ts";

const signer = memorySigner();
const day = 86_400_000;
const clients: StockClient[] = [];
afterEach(() => clients.splice(0).forEach((client) => client.close()));

const other: Ruleset = {
  ...emptyRuleset,
  sets: [{ name: "a", kind: "addresses", elements: ["10.0.0.1"] }],
};
const common = { fleet: "f1", leaseSeconds: 86_400, signer, mode: "enforce" } as const;

const publish = async (
  over: Partial<Parameters<typeof publishHost>[0]> = {},
): Promise<Published> => {
  const published = await publishHost({
    ...common,
    host: "gw",
    revision: 3,
    now: Date.now(),
    ruleset: emptyRuleset,
    previous: undefined,
    ...over,
  });
  if (published === undefined) throw new Error("published nothing");
  return published;
};

async function rootText(threshold = 2, count = 3): Promise<string> {
  const keys = Array.from({ length: count }, makeRootKey);
  const input = { version: 1, now: Date.now(), threshold, rootKeys: keys.map((k) => k.key) };
  return signRoot(
    buildRoot({ ...input, online: await onlineKeysOf(signer) }),
    keys.slice(0, threshold),
  );
}

/** A root that gives the online roles to this signer's keys, but for `role`, which goes to a stranger. */
async function rootOver(role?: OnlineRole): Promise<Root> {
  const online = await onlineKeysOf(signer);
  const strange = await onlineKeysOf(memorySigner());
  const changed = role === undefined ? online : { ...online, [role]: strange[role] };
  return buildRoot({
    version: 1,
    now: 0,
    threshold: 1,
    rootKeys: [makeRootKey().key],
    online: changed,
  });
}
const inForce = await rootOver();

const serveOf =
  (current: () => Published): Serve =>
  (path) => {
    const { repository: r, bundle } = current();
    const files: Record<string, string | Uint8Array> = {
      "metadata/timestamp.json": r.timestamp,
      [`metadata/${r.snapshot_version}.snapshot.json`]: r.snapshot,
      [`metadata/${r.seq}.targets.json`]: r.targets,
      [`targets/${r.bundle_sha256}.bundle.json`]: bundle,
    };
    const file = files[path];
    return Promise.resolve(typeof file === "string" ? new TextEncoder().encode(file) : file);
  };

const client = (root: string, serve: Serve): StockClient => {
  const made = stockClient(root, serve);
  clients.push(made);
  return made;
};

test("a host is never carried on under another fleet's name, neither by a new bundle nor by a lease", async () => {
  const { repository: previous } = await publish();
  const theirs = "host gw belongs to fleet f1";
  await expect(publish({ fleet: "f2", previous, ruleset: other })).rejects.toThrow(theirs);
  const now = Date.now() + day;
  await expect(
    renewLease({ ...common, fleet: "f2", now, previous, root: inForce }),
  ).rejects.toThrow(theirs);
});

describe("publishHost", () => {
  test("is accepted by the stock tuf-js under a 2-of-3 root, and names host, fleet, seq and revision", async () => {
    const first = await publish();
    const read = await client(
      await rootText(),
      serveOf(() => first),
    ).update();
    expect(new Uint8Array(read.bundle)).toEqual(first.bundle);
    expect(BundleCustom.parse(read.custom)).toMatchObject({
      host: "gw",
      fleet: "f1",
      seq: 1,
      revision: 3,
      prev: null,
      mode: "enforce",
    });
  });

  test("is refused by the stock tuf-js under a root signed below its threshold", async () => {
    const keys = [makeRootKey(), makeRootKey(), makeRootKey()];
    const online = await onlineKeysOf(signer);
    const root = buildRoot({
      version: 1,
      now: Date.now(),
      threshold: 2,
      rootKeys: keys.map((k) => k.key),
      online,
    });
    const first = await publish();
    await expect(
      client(
        signRoot(root, keys.slice(0, 1)),
        serveOf(() => first),
      ).update(),
    ).rejects.toThrow(/root was signed by 1\/2 keys/);
  });

  test("publishes the next seq for another mode with the same bytes, and a renewal keeps the mode", async () => {
    const first = await publish();
    const closed = await publish({ mode: "closed", previous: first.repository });
    expect(closed.repository).toMatchObject({
      seq: 2,
      bundle_sha256: first.repository.bundle_sha256,
    });
    expect(closed.repository.targets).toContain('"mode":"closed"');
    const renewed = await renewLease({
      ...common,
      root: inForce,
      now: Date.now() + 1000 * day,
      previous: closed.repository,
    });
    expect(renewed.seq).toBe(3);
    expect(renewed.targets).toContain('"mode":"closed"');
  });

  test("publishes nothing when the bytes are the same, and the next seq with its predecessor when not", async () => {
    const first = await publish();
    const input = {
      ...common,
      host: "gw",
      revision: 4,
      now: Date.now(),
      previous: first.repository,
    };
    expect(await publishHost({ ...input, ruleset: emptyRuleset })).toBeUndefined();
    const second = await publish({ ...input, ruleset: other });
    expect(second.repository).toMatchObject({
      seq: 2,
      snapshot_version: 2,
      timestamp_version: 2,
      revision: 4,
    });
    expect(second.repository.targets).toContain(
      `"prev":{"seq":1,"sha256":"${first.repository.bundle_sha256}"}`,
    );
    let served = first;
    const reader = client(
      await rootText(),
      serveOf(() => served),
    );
    await reader.update();
    served = second;
    expect(new Uint8Array((await reader.update()).bundle)).toEqual(second.bundle);
    served = first;
    await expect(reader.update()).rejects.toThrow(/timestamp version 1 is less/);
  });

  test("gives equal rulesets equal bundles on every host", async () => {
    const a = await publish({ host: "a" });
    const b = await publish({ host: "b" });
    expect(a.bundle).toEqual(b.bundle);
    expect(a.repository.targets).not.toEqual(b.repository.targets);
  });

  test("goes on above what the host has seen, so that a restored database is not refused for ever", async () => {
    const { repository } = await publish({ floor: { timestamp: 41, targets: 17 } });
    expect(repository).toMatchObject({ seq: 18, timestamp_version: 42, snapshot_version: 42 });
  });

  test("refuses a bundle that no agent would read, naming the host", async () => {
    const elements = Array.from(
      { length: 40_000 },
      (_, i) => `2001:db8:${i.toString(16)}:${"ffff:".repeat(4)}ffff`,
    );
    const sets = ["a", "b", "c"].map((name) => ({ name, kind: "addresses" as const, elements }));
    const refusal = await publish({ ruleset: { ...emptyRuleset, sets } }).catch(
      (error: unknown) => error,
    );
    if (!(refusal instanceof BundleTooLarge)) throw new Error("expected a BundleTooLarge");
    expect(refusal.diagnostic).toMatchObject({
      code: "bundle_too_large",
      path: "/hosts/gw",
      severity: "error",
    });
    expect(refusal.message).toContain(String(sizeLimits.bundle));
  });
});

const tampers: readonly [string, RegExp, (r: Repository) => Partial<Repository>][] = [
  [
    "a signature of the timestamp",
    /timestamp was signed by 0/,
    (r) => ({ timestamp: r.timestamp.replace(/"sig":"../, '"sig":"00') }),
  ],
  [
    "a lease",
    /timestamp was signed by 0/,
    (r) => ({ timestamp: r.timestamp.replace(/"expires":"20../, '"expires":"2099') }),
  ],
  [
    "the snapshot's host",
    /snapshot .* Expected hash/,
    (r) => ({ snapshot: r.snapshot.replace('"host":"gw"', '"host":"gx"') }),
  ],
  [
    "the targets' revision",
    /targets .* Expected hash/,
    (r) => ({ targets: r.targets.replace('"revision":3', '"revision":4') }),
  ],
  [
    "the targets' signature",
    /targets .* Expected hash/,
    // Whatever its first digit is, another one.
    (r) => ({
      targets: r.targets.replace(/"sig":"(.)/, (_, d) => `"sig":"${d === "0" ? "1" : "0"}`),
    }),
  ],
];
test.each(tampers)("the stock tuf-js refuses a copy with %s changed", async (_, reason, tamper) => {
  const first = await publish();
  const changed = { ...first, repository: { ...first.repository, ...tamper(first.repository) } };
  expect(changed.repository).not.toEqual(first.repository);
  await expect(
    client(
      await rootText(),
      serveOf(() => changed),
    ).update(),
  ).rejects.toThrow(reason);
});

test("the stock tuf-js refuses a bundle of other bytes, and a lease that is over", async () => {
  const first = await publish();
  const bundle = (await publish({ ruleset: other })).bundle;
  await expect(
    client(
      await rootText(),
      serveOf(() => ({ ...first, bundle })),
    ).update(),
  ).rejects.toThrow(/Max length|Expected hash/);
  const late = await publish({ now: Date.now() - 2 * day });
  await expect(
    client(
      await rootText(),
      serveOf(() => late),
    ).update(),
  ).rejects.toThrow(/expired/);
});

describe("renewLease", () => {
  test("signs a new timestamp over the same snapshot and targets", async () => {
    const { repository, bundle } = await publish();
    const now = Date.now() + day / 2;
    const renewed = await renewLease({ ...common, root: inForce, now, previous: repository });
    expect(renewed).toMatchObject({
      seq: 1,
      snapshot: repository.snapshot,
      targets: repository.targets,
      timestamp_version: 2,
      lease_issued_at: now,
      lease_expires_at: Math.floor((now + day) / 1000) * 1000,
    });
    await client(
      await rootText(),
      serveOf(() => ({ repository: renewed, bundle })),
    ).update();
  });

  test("signs the snapshot anew past half of its 14 days, the targets past half of their 30", async () => {
    const { repository } = await publish();
    const at = (days: number) =>
      renewLease({
        ...common,
        root: inForce,
        now: repository.lease_issued_at + days * day,
        previous: repository,
      });
    expect(await at(6.9)).toMatchObject({ seq: 1, snapshot_version: 1, timestamp_version: 2 });
    expect(await at(7.1)).toMatchObject({ seq: 1, snapshot_version: 2, timestamp_version: 2 });
    const third = await at(15.1);
    expect(third).toMatchObject({ seq: 2, snapshot_version: 2, timestamp_version: 2, revision: 3 });
    expect(third.bundle_sha256).toBe(repository.bundle_sha256);
  });

  test.each<[OnlineRole, readonly number[]]>([
    ["targets", [2, 2, 2]],
    ["snapshot", [1, 2, 2]],
    ["timestamp", [1, 1, 2]],
  ])(
    "signs anew, under the next versions, from the %s on that the root's key did not sign",
    async (role, v) => {
      const { repository } = await publish();
      const now = repository.lease_issued_at;
      const next = await renewLease({
        ...common,
        root: await rootOver(role),
        now,
        previous: repository,
      });
      expect([next.seq, next.snapshot_version, next.timestamp_version]).toEqual(v);
      expect(next.bundle_sha256).toBe(repository.bundle_sha256);
    },
  );

  test("climbs above the versions a host has seen", async () => {
    const { repository } = await publish();
    const now = repository.lease_issued_at;
    expect(
      await renewLease({
        ...common,
        root: inForce,
        now,
        previous: repository,
        floor: { timestamp: 9, targets: 1 },
      }),
    ).toMatchObject({ seq: 1, snapshot_version: 10, timestamp_version: 10 });
    expect(
      await renewLease({
        ...common,
        root: inForce,
        now,
        previous: repository,
        floor: { timestamp: 9, targets: 5 },
      }),
    ).toMatchObject({ seq: 6, snapshot_version: 10, timestamp_version: 10 });
  });
});
