/** Commands for what the API alone could do: members one by one, audit, taking a revision back, hosts' keys, adopting. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Guard } from "#schema/guard.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { storeReport } from "#worker/reports/rows.ts";
import { speakerOf } from "#test/support/speaker.ts";
import { type CliPlane, openCliPlane } from "../support/cli-plane.ts";
import { enrolHost } from "./contract/enrolled.ts";
import { reportOf } from "./contract/reports.ts";

let h: CliPlane;
beforeAll(async () => {
  h = await openCliPlane();
  await h.request("PUT", "/v1/hosts/hub1", { addresses: ["192.0.2.1"], roles: ["web"] });
  await h.request("PUT", "/v1/overlays/office", {
    host: "hub1",
    subnets: ["10.8.0.0/24"],
    interfaces: ["tun-office"],
    policy: "group-based",
    groups: ["dev", "ops"],
  });
});
afterAll(() => h.close());

/** Its lines, where it succeeded without a word on standard error. */
async function lines(...args: readonly string[]): Promise<readonly string[]> {
  const { code, lines: printed, errors } = await h.run(...args);
  expect({ code, errors }).toEqual({ code: 0, errors: [] });
  return printed;
}
const parsed = async (...args: readonly string[]): Promise<unknown> =>
  JSON.parse((await lines(...args, "--json"))[0] ?? "");
const revision = async (): Promise<number> =>
  (
    (await h.request("GET", "/v1/revisions?limit=1")) as {
      readonly items: readonly { revision: number }[];
    }
  ).items[0]?.revision ?? 0;

describe("members", () => {
  test("are set, listed, shown and deleted one by one, for somebody and with a reason", async () => {
    const set = ["member", "set", "office", "carol", "--group", "dev"];
    const said = await lines(
      ...set,
      "--address",
      "10.8.0.12",
      "-m",
      "joins",
      "--on-behalf-of",
      "hr",
    );
    expect(said[0]).toMatch(/^member office\/carol created; revision \d+: published to 1 host$/);
    expect(await lines(...set, "--address", "10.8.0.12")).toEqual([
      "member office/carol unchanged",
    ]);
    expect(await parsed("member", "list", "office")).toMatchObject([
      { key: "office/carol", body: { group: "dev", addresses: ["10.8.0.12"] }, on_behalf_of: "hr" },
    ]);
    expect((await lines("member", "list", "office"))[1]).toMatch(
      /^office\/carol +dev +10\.8\.0\.12 +\d+ +admin +hr$/,
    );
    expect((await lines("member", "show", "office", "carol")).join("\n")).toMatch(
      /addresses +10\.8\.0\.12/,
    );
    const [last] = (await parsed("revisions")) as readonly { readonly message: string }[];
    expect(last).toMatchObject({ message: "joins", on_behalf_of: "hr" });
    expect((await lines("member", "delete", "office", "carol"))[0]).toMatch(
      /^member office\/carol deleted; /,
    );
    expect(await parsed("member", "list", "office")).toEqual([]);
  });

  test("are written only over the version that was seen, and staged where that is asked", async () => {
    const set = ["member", "set", "office", "dave", "--group"];
    await lines(...set, "dev", "--address", "10.8.0.13", "--host", "hub1", "--if-revision", "new");
    const seen = await revision();
    expect(await parsed("member", "show", "office", "dave")).toMatchObject({
      body: { group: "dev", addresses: ["10.8.0.13"], host: "hub1" },
    });
    const again = await h.run(...set, "ops", "--if-revision", "new");
    expect(again).toMatchObject({ code: 1, lines: [] });
    expect(again.errors[0]).toContain("(precondition_failed)");
    const [staged] = await lines(
      ...set,
      "ops",
      "--address",
      "10.8.0.13",
      "--if-revision",
      `${seen}`,
      "--stage",
    );
    expect(staged).toMatch(/^member office\/dave updated; revision \d+: staged for 1 host$/);
    const late = await h.run("member", "delete", "office", "dave", "--if-revision", `${seen}`);
    expect(late.errors[0]).toContain("(precondition_failed)");
    expect(await h.run("member", "delete", "office", "dave", "--if-revision", "r0")).toMatchObject({
      code: 2,
    });
    await lines("member", "delete", "office", "dave");
  });
});

test("audit list says who did what, newest first, and no more than was asked for", async () => {
  await lines("member", "set", "office", "erin", "--group", "dev", "--on-behalf-of", "hr");
  const [head, first, ...rest] = await lines("audit", "list", "--limit", "3");
  expect(head).toMatch(/^SEQ +AT +ACTOR +FOR +ACTION +REVISION +ABOUT$/);
  expect(first).toMatch(new RegExp(`^\\d+ +\\S+ +admin +hr +\\S+ +${await revision()} +`));
  expect(rest).toHaveLength(2);
  expect(await parsed("audit", "list", "--limit", "2")).toEqual(
    ((await h.request("GET", "/v1/audit?limit=2")) as { readonly items: unknown }).items,
  );
});

describe("revert", () => {
  const zone = (key: string) =>
    h.request("GET", `/v1/zones/${key}`) as Promise<{
      readonly body: unknown;
      readonly source: string;
    }>;
  const commit = async (source: string, changes: readonly object[]): Promise<number> => {
    await h.request("POST", "/v1/commits", { message: "m", source, changes });
    return revision();
  };
  const put = (key: string, cidr: string) => ({
    op: "put",
    kind: "zone",
    key,
    body: { cidrs: [cidr] },
  });

  test("makes a revision's rows what they were, in its source, once it is agreed to", async () => {
    await commit("netops", [put("lan", "10.1.0.0/16"), put("old", "10.2.0.0/16")]);
    const bad = await commit("netops", [
      put("lan", "10.3.0.0/16"),
      put("new", "10.4.0.0/16"),
      { op: "delete", kind: "zone", key: "old" },
    ]);
    const before = await revision();
    expect(await h.run("revert", `${bad}`)).toMatchObject({ code: 2 });
    const refused = await h.runWith({ answer: false }, "revert", `${bad}`);
    expect(refused.errors).toEqual(["portcullis: not confirmed; nothing was written"]);
    expect(await revision()).toBe(before);
    const done = await h.runWith({ answer: true }, "revert", `r${bad}`);
    expect(done).toMatchObject({ code: 0, errors: [] });
    expect(done.lines.at(-1)).toMatch(new RegExp(`^revision ${before + 1}: `));
    expect(await zone("lan")).toMatchObject({ body: { cidrs: ["10.1.0.0/16"] }, source: "netops" });
    expect(await zone("old")).toMatchObject({ body: { cidrs: ["10.2.0.0/16"] }, source: "netops" });
    await expect(zone("new")).rejects.toThrow("404");
    const [last] = (await parsed("revisions")) as readonly unknown[];
    expect(last).toMatchObject({ message: `revert of revision ${bad}` });
    expect(await h.run("revert", `${bad}`, "--overwrite", "--yes")).toMatchObject({ code: 0 });
    expect(await revision()).toBe(before + 1);
  });

  test("takes no row back that was changed again, unless that is said", async () => {
    const bad = await commit("netops", [
      put("a", "10.5.0.0/16"),
      put("b", "10.6.0.0/16"),
      put("c", "10.6.1.0/24"),
    ]);
    const later = await commit("netops", [
      put("b", "10.7.0.0/16"),
      { op: "delete", kind: "zone", key: "c" },
    ]);
    const { code, errors, lines: printed } = await h.run("revert", `${bad}`, "--yes");
    expect({ code, printed }).toEqual({ code: 1, printed: [] });
    expect(errors).toEqual([
      `zone b: revision ${later} changed it again since revision ${bad}`,
      `zone c: it was deleted since revision ${bad}`,
      "nothing was written; --overwrite takes these rows back too",
    ]);
    expect(await revision()).toBe(later);
    await lines("revert", `${bad}`, "--yes", "--overwrite");
    for (const key of ["a", "b", "c"]) await expect(zone(key)).rejects.toThrow("404");
  });
});

test("hosts revoke asks first, and then the host's key is good for nothing", async () => {
  await h.request("PUT", "/v1/hosts/web9", { addresses: ["192.0.2.9"] });
  await enrolHost(h.plane, "web9");
  const revoked = async () =>
    ((await h.request("GET", "/v1/hosts/web9/status")) as { readonly revoked_at: unknown })
      .revoked_at;
  expect(await h.run("hosts", "revoke", "web9")).toMatchObject({ code: 2 });
  expect((await h.runWith({ answer: false }, "hosts", "revoke", "web9")).code).toBe(1);
  expect(await revoked()).toBeNull();
  const [said] = (await h.runWith({ answer: true }, "hosts", "revoke", "web9")).lines;
  expect(said).toMatch(/^the key of web9 is revoked; .*portcullis enrol web9/);
  expect(await revoked()).not.toBeNull();
  expect((await h.run("hosts", "revoke", "web8", "--yes")).errors[0]).toContain("(not_found)");
});

describe("hosts adopting", () => {
  test("lists what each adopting host counted that its rules would refuse, and by which row most", async () => {
    const { sql } = h.plane.ports;
    expect(await lines("hosts", "adopting")).toEqual(["no host is adopting"]);
    await enrolHost(h.plane, "hub1");
    const guard = Guard.parse({ management: { interfaces: ["wg0"] } });
    const counters = await countersOf("hub1");
    const report = reportOf(1, {
      state: "adopting",
      guard,
      counters,
      at: new Date().toISOString(),
    });
    await storeReport(sql, await speakerOf(sql, "hub1"), report, Date.now());
    const [head, line] = await lines("hosts", "adopting");
    expect(head).toMatch(/^HOST +PUBLISHED +REPORT +PACKETS +MOST OF +UNDECLARED$/);
    expect(line).toMatch(/^hub1 +\d+\/r\d+ +\S+ ago +12 +defaults\/host#in +-$/);
    expect(await parsed("hosts", "adopting")).toMatchObject([
      { host: "hub1", report: { counted: { packets: 12 } } },
    ]);
    await storeReport(
      sql,
      await speakerOf(sql, "hub1"),
      reportOf(2, { guard, counters }),
      Date.now(),
    );
    expect(await lines("hosts", "adopting")).toEqual(["no host is adopting"]);
  });

  /** Every counter of a bundle; only what ends the host's own traffic has more than one packet. */
  async function countersOf(host: string): Promise<readonly object[]> {
    const { rules } = (await parsed("ruleset", host)) as Ruleset;
    return rules.map(({ counter, verdict, scope }) => ({
      name: counter,
      packets: verdict === "accept" ? 99 : scope === "host" ? 12 : 0,
      bytes: 0,
    }));
  }
});
