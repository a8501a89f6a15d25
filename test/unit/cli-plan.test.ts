/** What a catalog changes: whose rows it may touch, and how many of them may go. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type DesiredRow, planChanges, type PlanOptions } from "#cli/intent/plan.ts";
import { type CurrentRow } from "#cli/http/pages.ts";

const zone = (key: string, cidr = "192.0.2.0/24"): DesiredRow => ({
  put: { op: "put", kind: "zone", key, body: { cidrs: [cidr] } },
});
const standing = (key: string, source = "catalog", cidr = "192.0.2.0/24"): CurrentRow => ({
  kind: "zone",
  key,
  body: { cidrs: [cidr] },
  source,
  revision: 1,
});
const options: PlanOptions = {
  source: "catalog",
  prune: false,
  adopt: false,
  allowDelete: undefined,
};
const prune: PlanOptions = { ...options, prune: true };
const zones = (count: number) =>
  Array.from({ length: count }, (_, i) => `z${String(i).padStart(2, "0")}`);

describe("whose rows", () => {
  test("says nothing of rows that stand as declared", () => {
    expect(planChanges([zone("lan")], [standing("lan")], prune)).toEqual({
      ok: true,
      changes: [],
      undeclared: [],
    });
  });

  test("the order of fields in a stored body is no change", () => {
    const put = {
      op: "put",
      kind: "host",
      key: "a",
      body: { addresses: [], roles: [], labels: {} },
    } as const;
    const row = {
      kind: "host",
      key: "a",
      body: { labels: {}, roles: [], addresses: [] },
      source: "x",
      revision: 1,
    } as const;
    expect(
      planChanges(
        [{ put: { ...put, body: { addresses: [], roles: [], labels: {} } } }],
        [row],
        options,
      ),
    ).toEqual({
      ok: true,
      changes: [],
      undeclared: [],
    });
  });

  test("puts what is new or differs, by kind and key", () => {
    const planned = planChanges(
      [zone("srv"), zone("lan", "198.51.100.0/24")],
      [standing("lan")],
      options,
    );
    expect(planned.ok ? planned.changes.map(({ op, key }) => `${op} ${key}`) : planned).toEqual([
      "put lan",
      "put srv",
    ]);
  });

  test("refuses a row of another source that differs, by name, unless it is adopted", () => {
    const [desired, current] = [[zone("lan")], [standing("lan", "ansible", "198.51.100.0/24")]];
    expect(planChanges(desired, current, options)).toEqual({
      ok: false,
      refusals: ["zone lan belongs to source ansible and differs; --adopt takes it over"],
    });
    const adopted = planChanges(desired, current, { ...options, adopt: true });
    expect(adopted.ok && adopted.changes).toHaveLength(1);
  });

  test("leaves a row of another source alone when it says the same", () => {
    expect(planChanges([zone("lan")], [standing("lan", "ansible")], prune)).toEqual({
      ok: true,
      changes: [],
      undeclared: [],
    });
  });
});

describe("what may go", () => {
  const current = zones(10).map((key) => standing(key));
  const without = (count: number) =>
    zones(10)
      .slice(count)
      .map((key) => zone(key));

  test("deletes nothing without --prune, and says what it would be", () => {
    expect(planChanges(without(1), current, options)).toEqual({
      ok: true,
      changes: [],
      undeclared: [{ kind: "zone", key: "z00" }],
    });
  });

  test("deletes a fifth of a kind, and no row more", () => {
    const fifth = planChanges(without(2), current, prune);
    expect(fifth.ok && fifth.changes.map(({ op, key }) => `${op} ${key}`)).toEqual([
      "delete z00",
      "delete z01",
    ]);
    expect(planChanges(without(3), current, prune)).toEqual({
      ok: false,
      refusals: [
        "this would delete more than a fifth of this source's zones (3 of 10); --allow-delete 3 allows it",
      ],
    });
  });

  test("one of five may go, one of four may not", () => {
    expect(planChanges(without(1).slice(0, 4), current.slice(0, 5), prune).ok).toBe(true);
    expect(planChanges(without(1).slice(0, 3), current.slice(0, 4), prune).ok).toBe(false);
  });

  test("another source's rows make a fifth no larger", () => {
    const foreign = zones(90).map((key) => standing(`f${key}`, "ansible"));
    expect(planChanges(without(3), [...current, ...foreign], prune).ok).toBe(false);
  });

  test("--allow-delete is the number of deletions that are meant, and a limit", () => {
    expect(planChanges(without(3), current, { ...prune, allowDelete: 3 }).ok).toBe(true);
    expect(planChanges(without(3), current, { ...prune, allowDelete: 2 })).toEqual({
      ok: false,
      refusals: ["expected at most 2 deletions, found 3; --allow-delete 3 allows them"],
    });
    expect(planChanges(without(1), current, { ...prune, allowDelete: 0 }).ok).toBe(false);
  });

  test("an empty checkout empties nothing, not even a kind of one row", () => {
    expect(planChanges([], [standing("lan")], prune)).toEqual({
      ok: false,
      refusals: [
        "this would delete every zone of this source (1 of 1); --allow-delete 1 allows it",
      ],
    });
  });
});

describe("whatever stands and whatever is declared", () => {
  const key = fc.constantFrom(...zones(12));
  const cidr = fc.constantFrom("192.0.2.0/24", "198.51.100.0/24");
  const source = fc.constantFrom("catalog", "ansible", "api");
  const desired = fc
    .uniqueArray(fc.record({ key, cidr }), { selector: (row) => row.key })
    .map((rows) => rows.map((row) => zone(row.key, row.cidr)));
  const current = fc
    .uniqueArray(fc.record({ key, cidr, source }), { selector: (row) => row.key })
    .map((rows) => rows.map((row) => standing(row.key, row.source, row.cidr)));
  const anyOptions = fc.record({
    source: fc.constant("catalog"),
    prune: fc.boolean(),
    adopt: fc.boolean(),
    allowDelete: fc.option(fc.nat(12), { nil: undefined }),
  });

  test("a row of another source is never deleted, and never put unless adopted", () => {
    fc.assert(
      fc.property(desired, current, anyOptions, (wanted, rows, chosen) => {
        const planned = planChanges(wanted, rows, chosen);
        if (!planned.ok) return true;
        return planned.changes.every((change) => {
          const row = rows.find((candidate) => candidate.key === change.key);
          if (row === undefined || row.source === chosen.source) return true;
          return change.op === "put" && chosen.adopt;
        });
      }),
      { numRuns: 1000 },
    );
  });

  test("nothing declared and rows to lose is always refused while no number is said", () => {
    fc.assert(
      fc.property(current, anyOptions, (rows, chosen) => {
        fc.pre(rows.some((row) => row.source === chosen.source));
        return !planChanges([], rows, { ...chosen, prune: true, allowDelete: undefined }).ok;
      }),
      { numRuns: 500 },
    );
  });

  test("what was planned, once made, plans nothing more", () => {
    fc.assert(
      fc.property(desired, current, anyOptions, (wanted, rows, chosen) => {
        const planned = planChanges(wanted, rows, chosen);
        if (!planned.ok) return true;
        const after = new Map(rows.map((row) => [row.key, row]));
        for (const change of planned.changes)
          if (change.op === "delete") after.delete(change.key);
          else after.set(change.key, { ...change, source: chosen.source, revision: 2 });
        const again = planChanges(wanted, [...after.values()], chosen);
        return again.ok && again.changes.length === 0;
      }),
      { numRuns: 1000 },
    );
  });
});
