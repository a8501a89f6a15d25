/** What `portcullis-agent status` says about a refusal: what happened, and what a person should do about just that. */
import { describe, expect, test } from "vitest";
import { admit } from "#agent/guard/index.ts";
import { settleOutcome } from "#agent/machine/refusal.ts";
import { endedBy, formatStatus, Status } from "#agent/report/status.ts";
import { Guard } from "#schema/guard.ts";
import { guardLineNames, refusalCodes, refusalEntry, remedyOf } from "#schema/refusals.ts";
import { emptyRuleset } from "#schema/ruleset.ts";
import { ruleOf, rulesetOf } from "../support/rulesets.ts";

const guard = (more: object): Guard =>
  Guard.parse({ management: { interfaces: ["wg0"] }, ...more });
const open = rulesetOf({
  scopes: [{ kind: "host" }],
  rules: [
    ruleOf({
      row: "services/ssh#0",
      counter: "r_ssh",
      scope: "host",
      direction: "in",
      protocol: {
        kind: "tcp",
        ports: { kind: "ranges", ranges: [{ from: 22, to: 22 }] },
        sourcePorts: { kind: "any" },
      },
      source: { kind: "any" },
      verdict: "accept",
    }),
  ],
});

async function said(ruleset: typeof open, own: Guard): Promise<string> {
  const refused = await settleOutcome(async () => Promise.resolve(admit({ ruleset }, own)));
  if (refused.ok) throw new Error("it was admitted");
  const status = Status.parse({
    state: "steady",
    since: "2026-01-01T00:00:00Z",
    updated_at: "2026-01-01T00:00:00Z",
    host: "web1",
    fleet: "f1",
    url: "https://fw.example.com",
    applied: null,
    lease_ends_at: null,
    last_refusal: { ...refused.refusal, at: "2026-01-01T00:00:00Z" },
  });
  return formatStatus(status, true, 0);
}

describe("the advice about a guard's refusal", () => {
  test("is that of the line of the guard, and not of another", async () => {
    const never = await said(open, guard({ never_accept_from_any: [22] }));
    expect(never).toContain("opens tcp 22 to everybody");
    expect(never).toContain("narrow its source, or take the port out of never_accept_from_any");
    expect(never).not.toContain("limits");
    const rules = await said(open, guard({ never_accept_from_any: [], limits: { max_rules: 1 } }));
    expect(rules).toContain("raise it in the guard, or take rows away");
    const many = await said(
      open,
      guard({ never_accept_from_any: [], limits: { max_any_accept: 0 } }),
    );
    expect(many).toContain("limits.max_any_accept");
    expect(await said(emptyRuleset, guard({}))).toContain("leaves open what it does not judge");
  });

  test("each code and each line has advice of its own words, and a cause", () => {
    for (const code of refusalCodes) {
      expect(remedyOf(code).length).toBeGreaterThan(20);
      expect(refusalEntry(code).cause).toMatch(/^[A-Zn].*\.$/);
    }
    const advice = guardLineNames.map((line) => remedyOf("guard_refused", line));
    expect(new Set(advice).size).toBe(guardLineNames.length);
  });
});

test("a refusal that a believed answer ended is shown as over, and one of the guard is not", () => {
  const at = "2026-01-01T00:00:00Z";
  const over = "2026-01-01T01:00:00Z";
  const shown = (code: "http_status" | "guard_refused"): string => {
    const ended = endedBy({ code, message: "poll: 401", at }, over);
    const host = { host: "web1", fleet: "f1", url: "https://fw.example.com" };
    const none = { applied: null, lease_ends_at: null, last_refusal: ended };
    return formatStatus(
      Status.parse({ state: "steady", since: at, updated_at: at, ...host, ...none }),
      true,
      0,
    );
  };
  expect(shown("http_status")).toContain(`Over since ${over}`);
  expect(shown("http_status")).not.toContain(remedyOf("http_status"));
  expect(shown("guard_refused")).toContain(remedyOf("guard_refused"));
});
