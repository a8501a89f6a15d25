import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findAffectedHosts, compile, compileHosts } from "#core/compile/index.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { arbitraryCommit } from "../support/arbitrary-commit.ts";
import { snapshotOf } from "../support/intent.ts";

describe("affectedHosts", () => {
  test("a host outside it has the same bytes before and after, and compileHosts gives what compile gives", () => {
    let [spared, touched, idle] = [0, 0, 0];
    fc.assert(
      fc.property(arbitraryCommit, ({ before, after, changes }) => {
        const [old, now] = [snapshotOf(before), snapshotOf(after)];
        const [was, is] = [compile(old), compile(now)];
        if (!was.ok || !is.ok) return;
        const affected = findAffectedHosts(old, now, changes);
        for (const [host, ruleset] of is.rulesets) {
          const previous = was.rulesets.get(host);
          const same =
            previous !== undefined && formatCanonical(previous) === formatCanonical(ruleset);
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
    // The draws differ from run to run, so there is room; that hosts are spared at all is held above.
    expect(idle, "hosts compiled for nothing").toBeLessThan(2 * touched + 100);
  });
});
