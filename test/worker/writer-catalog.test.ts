/** The catalog through the one writer: which hosts a commit publishes, and what it refuses to delete. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Change } from "#schema/intent.ts";
import { openPlane, overlay, type Plane } from "#test/support/plane.ts";
import { commit, type CommitResult } from "#worker/commits/commit.ts";

const host = (key: string, address: string, ...roles: string[]): Change => ({
  op: "put",
  kind: "host",
  key,
  body: { addresses: [address], roles, labels: {} },
});
const zone = (key: string, ...cidrs: string[]): Change => ({
  op: "put",
  kind: "zone",
  key,
  body: { cidrs },
});
const service = (key: string, from: string, port: number): Change => ({
  op: "put",
  kind: "service",
  key,
  body: { ingress: [{ from, port, proto: "tcp" }] },
});
const gone = (kind: "host" | "overlay" | "service" | "zone", key: string): Change => ({
  op: "delete",
  kind,
  key,
});

let plane: Plane;
beforeAll(async () => {
  plane = await openPlane();
  await plane.commit(
    zone("lan", "10.0.0.0/24"),
    host("proxy", "10.0.0.2", "reverse_proxy"),
    host("photos", "10.0.0.3", "photoprism"),
    host("plain", "10.0.0.4"),
    host("gw", "10.0.0.5"),
    overlay("office", "gw"),
    service("reverse_proxy", "lan", 443),
    service("photoprism", "reverse_proxy", 2342),
  );
});
afterAll(() => plane.close());

const say = (...changes: readonly Change[]): Promise<CommitResult> =>
  commit(plane.ports, "test", {
    message: "test",
    source: "api",
    release: "now",
    changes: [...changes],
  });
const published = async (...changes: readonly Change[]): Promise<readonly string[]> => {
  const result = await say(...changes);
  if (!result.ok) throw new Error(JSON.stringify(result));
  return result.hosts.map((changed) => changed.host).sort();
};

describe("a commit publishes exactly the hosts it concerns", () => {
  test("a service's grant, and nothing else", async () => {
    expect(await published(service("photoprism", "reverse_proxy", 2343))).toEqual(["photos"]);
  });
  test("a zone, where its services run", async () => {
    expect(await published(zone("lan", "10.0.0.0/23"))).toEqual(["proxy"]);
  });
  test("a host's address, where its role is let in", async () => {
    expect(await published(host("proxy", "10.0.0.20", "reverse_proxy"))).toEqual(["photos"]);
  });
  test("a host that takes a role gets its rules, and is let in where the role is", async () => {
    expect(await published(host("plain", "10.0.0.4", "reverse_proxy"))).toEqual([
      "photos",
      "plain",
    ]);
  });
  test("a label, nobody", async () => {
    const labelled: Change = {
      op: "put",
      kind: "host",
      key: "gw",
      body: { addresses: ["10.0.0.5"], roles: [], labels: { rack: "b7" } },
    };
    expect(await published(labelled)).toEqual([]);
  });
});

describe("deleting what is still referenced is a conflict that says by whom", () => {
  test.each<[string, readonly Change[], string]>([
    ["a zone", [gone("zone", "lan")], "services/reverse_proxy"],
    ["a host with an overlay", [gone("host", "gw")], "overlays/office"],
    [
      "a host, though its service goes with it",
      [gone("service", "photoprism"), gone("host", "gw")],
      "overlays/office",
    ],
  ])("%s", async (_, changes, by) => {
    expect(await say(...changes)).toMatchObject({
      ok: false,
      code: "conflict",
      diagnostics: [{ code: "still_referenced", message: `still referenced by ${by}` }],
    });
  });

  test("with its referencers it may go, in one commit and any order", async () => {
    expect(await say(gone("zone", "lan"), gone("service", "reverse_proxy"))).toMatchObject({
      ok: true,
    });
  });
});
