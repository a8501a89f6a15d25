/** Plans as a reviewer reads them, against a real control plane: what opens and closes, for whom, and what is left. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type CliPlane, openCliPlane } from "../support/cli-plane.ts";

let h: CliPlane;
let catalog: string;

const hosts = { web1: "192.0.2.1", web2: "192.0.2.2", db1: "192.0.2.9" };
const declared = {
  portcullis: 1,
  hosts: Object.fromEntries(
    Object.entries(hosts).map(([name, address]) => [
      name,
      { addresses: [address], roles: [name.slice(0, -1)] },
    ]),
  ),
  zones: { lan: { cidrs: ["198.51.100.0/24"] } },
  services: {
    web: { ingress: [{ from: "lan", port: 443, proto: "tcp" }] },
    db: { ingress: [{ from: "role:web", port: 5432, proto: "tcp" }] },
  },
};
type Catalog = typeof declared;

const write = (change: (catalog: Catalog) => unknown = (same) => same): void =>
  writeFileSync(catalog, JSON.stringify(change(structuredClone(declared))));
/** The lines of a plan, joined. */
async function planned(
  ...more: readonly string[]
): Promise<{ readonly code: number; readonly text: string }> {
  const { code, lines, errors } = await h.run("plan", "-f", catalog, ...more);
  expect(errors).toEqual([]);
  return { code, text: lines.join("\n") };
}

beforeAll(async () => {
  h = await openCliPlane();
  catalog = join(h.folder, "catalog.json");
  write();
  expect((await h.run("apply", "-f", catalog, "--yes")).code).toBe(0);
});
afterAll(() => h.close());
beforeEach(() => write());

describe("a plan", () => {
  test("begins with what opens and what closes, for whom, with names for addresses and equal hosts in one", async () => {
    write((c) => ({
      ...c,
      services: {
        web: { ingress: [{ from: "any", port: 443, proto: "tcp" }] },
        db: { ingress: [{ from: "host:web2", port: 5432, proto: "tcp" }] },
      },
    }));
    const { code, text } = await planned();
    expect(code).toBe(2);
    const [opens, closes] = [text.indexOf("opens:"), text.indexOf("closes:")];
    expect([opens, closes > opens]).toEqual([0, true]);
    expect(text).toMatch(/^ {2}\+ tcp 443 to web1, web2: from /m);
    expect(text).toMatch(/^ {2}- tcp 5432 to db1: from 192\.0\.2\.1 \(host web1\)/m);
    expect(text).toMatch(/^hosts web1, web2: 2 -> 2 rules/m);
    expect(text).not.toMatch(/^host web1:/m);
  });

  test("says what it does not open too: more of a zone, a port less", async () => {
    write((c) => ({ ...c, zones: { lan: { cidrs: ["198.51.100.0/24", "203.0.113.0/24"] } } }));
    const { text } = await planned();
    expect(text).toMatch(/^ {2}\+ tcp 443 to web1, web2: from 203\.0\.113\.0\/24/m);
    expect(text).not.toContain("closes:");
    write((c) => ({ ...c, services: { ...c.services, db: { ingress: [] } } }));
    const less = (await planned()).text;
    expect(less).not.toContain("opens:");
    expect(less).toMatch(
      /^ {2}- tcp 5432 to db1: from role web \(192\.0\.2\.1 host web1, 192\.0\.2\.2 host web2\)/m,
    );
  });

  test("shows what a new row says", async () => {
    write((c) => ({
      ...c,
      zones: { ...c.zones, dmz: { cidrs: ["203.0.113.0/24", "2001:db8:1::/64"] } },
    }));
    const { text } = await planned();
    expect(text).toMatch(
      /^\+ zone dmz\n {4}cidrs: 203\.0\.113\.0\/24\n {4}cidrs: 2001:db8:1::\/64$/m,
    );
    expect(text).toContain("no host's rules change");
  });

  test("of a host that goes says that it closes", async () => {
    write((c) => {
      const { db1: _, ...rest } = c.hosts;
      return { ...c, hosts: rest, services: { web: c.services.web } };
    });
    const { text } = await planned("--prune", "--allow-delete", "2");
    expect(text).toMatch(/^ {2}- host db1 closes: /m);
    expect(text).not.toMatch(/db1: \d+ -> 0 rules/);
    expect(text).not.toContain("drop any in");
  });
});

test("rows of this source that no file declares are counted and named, and how to remove them", async () => {
  write((c) => ({ ...c, zones: {}, services: { web: { ingress: [] } } }));
  const changed = (await planned()).text;
  expect(changed).toContain(
    "2 rows of source catalog stand in no file: service db, zone lan; --prune deletes them",
  );
  write((c) => ({ ...c, zones: {}, services: { web: c.services.web, db: c.services.db } }));
  writeFileSync(
    catalog,
    JSON.stringify({ portcullis: 1, hosts: declared.hosts, services: declared.services }),
  );
  const { code, text } = await planned();
  expect(code).toBe(0);
  expect(text).toMatch(/1 row of source catalog stands in no file: zone lan; --prune deletes it/);
  expect(text).toMatch(/no change; revision \d+ says all that the files declare/);
  const printed = await h.run("plan", "-f", catalog, "--json");
  expect(JSON.parse(printed.lines[0] ?? "")).toMatchObject({
    undeclared: [{ kind: "zone", key: "lan" }],
  });
});

test("after a rollout went back, a plan without a change names what is withheld and from whom", async () => {
  write((c) => ({ ...c, services: { ...c.services, web: { ingress: [] } } }));
  expect((await h.run("apply", "-f", catalog, "--yes", "--stage")).code).toBe(0);
  const started = await h.run("rollout", "start", "--json");
  const { id, revision } = JSON.parse(started.lines[0] ?? "") as {
    readonly id: number;
    readonly revision: number;
  };
  expect((await h.run("rollout", "rollback", String(id), "--reason", "a test")).code).toBe(0);
  const { code, text } = await planned();
  expect(code).toBe(0);
  expect(text).toContain(`revision ${revision} is withheld from web1, web2`);
  expect(text).toContain("portcullis rollout start");
  const applied = await h.run("apply", "-f", catalog, "--yes");
  expect(applied.lines.join("\n")).toContain(`revision ${revision} is withheld from web1, web2`);
});
