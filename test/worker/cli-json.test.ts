/** What `--json` prints is what the control plane answered, every field of it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Plan } from "#schema/api/commits.ts";
import { storeReport } from "#worker/reports/rows.ts";
import { folderOf } from "../support/cli.ts";
import { type CliPlane, openCliPlane } from "../support/cli-plane.ts";
import { reportOf } from "./contract/reports.ts";
import { speakerOf } from "#test/support/speaker.ts";

let h: CliPlane;

beforeAll(async () => {
  h = await openCliPlane();
  await h.request("PUT", "/v1/hosts/web1?message=first", {
    addresses: ["192.0.2.1"],
    roles: ["web"],
    labels: { env: "prod" },
  });
  const report = reportOf(1, { state: "steady", applied: null, at: "2026-01-01T00:01:00.000Z" });
  const { sql } = h.plane.ports;
  await storeReport(sql, await speakerOf(sql, "web1"), report, Date.UTC(2026, 0, 1, 0, 1));
});
afterAll(() => h.close());

async function printed(...args: readonly string[]): Promise<unknown> {
  const { lines, errors } = await h.run(...args, "--json");
  expect({ errors, count: lines.length }).toEqual({ errors: [], count: 1 });
  return JSON.parse(lines[0] ?? "");
}
const items = async (path: string): Promise<unknown> =>
  ((await h.request("GET", path)) as { readonly items: unknown }).items;

test("hosts, one host, and its history", async () => {
  expect(await printed("hosts")).toEqual(await items("/v1/hosts"));
  expect(await printed("hosts", "web1")).toEqual({
    ...((await h.request("GET", "/v1/hosts/web1")) as object),
    listening: null,
  });
  expect(await printed("hosts", "history", "web1")).toEqual(await items("/v1/hosts/web1/history"));
});

test("revisions and tokens", async () => {
  expect(await printed("revisions")).toEqual(await items("/v1/revisions"));
  expect(await printed("revisions", "1")).toEqual(await h.request("GET", "/v1/revisions/1"));
  await h.run("token", "create", "--name", "ci", "--scope", "intent:read");
  expect(await printed("token", "list")).toEqual(await items("/v1/tokens"));
});

const text =
  "portcullis: 1\nservices:\n  web:\n    ingress: [{ from: nobody, port: 443, proto: tcp }]\n  nobody: { ingress: [] }\n";
const grant = { from: "nobody", port: 443, proto: "tcp" };

test("a plan, with the source, what is warned of and where, and what was left alone", async () => {
  const files = folderOf({ "catalog.yaml": text });
  const answer = await h.request("POST", "/v1/plan", {
    parent: 1,
    source: "catalog",
    changes: [
      { op: "put", kind: "service", key: "nobody", body: { ingress: [] } },
      { op: "put", kind: "service", key: "web", body: { ingress: [grant] } },
    ],
  });
  const { warnings, ...rest } = answer as Plan;
  expect(warnings).not.toEqual([]);
  expect(rest.hosts).not.toEqual([]);
  const shown = await printed("plan", "-f", files.path);
  files.remove();
  expect(shown).toMatchObject(rest);
  const known = warnings.map(({ severity, code, message }) => ({ severity, code, message }));
  expect(shown).toMatchObject({ source: "catalog", notes: [], warnings: known });
});
