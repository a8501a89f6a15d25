import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChangedRow } from "#compile/index.ts";
import { affectedHosts, compile, compileHosts } from "#compile/index.ts";
import { canonicalText } from "#schema/canonical.ts";
import { arbitraryIntent } from "../support/arbitraries.ts";
import type { WrittenRow } from "../support/intent.ts";
import { snapshotOf } from "../support/intent.ts";

const roles = ["a", "b-1", "b_1", "C.d"];

/** What somebody might do to a row; undefined deletes it. Not every commit of such changes compiles. */
function altered(row: WrittenRow, how: number, rows: readonly WrittenRow[]): WrittenRow | undefined {
  if (how % 5 === 0) return undefined;
  switch (row.kind) {
    case "host": {
      const { addresses = [], roles: listed = [] } = row.body;
      const role = roles[how % roles.length] ?? "a";
      const other = listed.includes(role) ? listed.filter((each) => each !== role) : [...listed, role];
      const body = [{ addresses: addresses.slice(1) }, { roles: other }, { labels: { rack: "b7" } }][how % 3];
      return { ...row, body: { ...row.body, ...body } };
    }
    case "zone":
      return { ...row, body: { cidrs: how % 2 === 0 ? [] : ["10.8.0.0/23", "fd00:8::/64"] } };
    case "service": {
      const { ingress, to } = row.body;
      const shorter = ingress.slice(1);
      return {
        ...row,
        body: how % 2 === 0 || to === undefined ? { ...row.body, ingress: shorter } : { ingress },
      };
    }
    case "member":
      return { ...row, body: { ...row.body, addresses: row.body.addresses?.slice(1) ?? [] } };
    case "overlay": {
      const hosts = rows.filter((each) => each.kind === "host").map(({ key }) => key);
      const host = hosts[how % hosts.length] ?? row.body.host;
      return {
        ...row,
        body: how % 2 === 0 ? { ...row.body, host } : { ...row.body, policy: "full-isolation" },
      };
    }
  }
}

interface Commit {
  readonly before: readonly WrittenRow[];
  readonly after: readonly WrittenRow[];
  readonly changes: readonly ChangedRow[];
}

/** A few rows changed; one way or the other, so that rows come as well as go. */
const arbitraryCommit: fc.Arbitrary<Commit> = fc
  .record({
    rows: arbitraryIntent,
    picks: fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 3 }),
    backwards: fc.boolean(),
  })
  .map(({ rows, picks, backwards }) => {
    const hows = new Map(picks.map(([pick, how]) => [rows[pick % rows.length], how]));
    const other = rows.flatMap((row) => {
      const how = hows.get(row);
      return (how === undefined ? row : altered(row, how, rows)) ?? [];
    });
    const changes = rows.filter((row) => hows.has(row)).map(({ kind, key }) => ({ kind, key }));
    return { before: backwards ? other : rows, after: backwards ? rows : other, changes };
  });

describe("affectedHosts", () => {
  test("a host outside it has the same bytes before and after, and compileHosts gives what compile gives", () => {
    let [spared, touched, idle] = [0, 0, 0];
    fc.assert(
      fc.property(arbitraryCommit, ({ before, after, changes }) => {
        const [old, now] = [snapshotOf(before), snapshotOf(after)];
        const [was, is] = [compile(old), compile(now)];
        if (!was.ok || !is.ok) return;
        const affected = affectedHosts(old, now, changes);
        for (const [host, ruleset] of is.rulesets) {
          const previous = was.rulesets.get(host);
          const same = previous !== undefined && canonicalText(previous) === canonicalText(ruleset);
          if (!affected.has(host)) expect(same, host).toBe(true);
          if (!affected.has(host)) spared += 1;
          else if (same) idle += 1;
          else touched += 1;
        }
        const some = compileHosts(now, affected);
        expect(some).toEqual({
          ...is,
          rulesets: new Map([...is.rulesets].filter(([host]) => affected.has(host))),
        });
      }),
      { numRuns: 300 },
    );
    expect(spared, "hosts spared").toBeGreaterThan(100);
    expect(touched, "hosts touched").toBeGreaterThan(100);
    expect(idle, "hosts compiled for nothing").toBeLessThan(touched);
  });
});
