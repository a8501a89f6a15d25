/** What listens beside the rules: the comparison, against `simulate` too, and what of it is news. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Listener } from "#agent/observe/listeners.ts";
import { ServiceWatch } from "#agent/observe/service-watch.ts";
import { describeListening, findUnmatched } from "#agent/observe/services.ts";
import { Guard } from "#schema/guard.ts";
import type { Rule, Ruleset } from "#schema/ruleset.ts";
import { Listening } from "#schema/wire.ts";
import { prepare } from "#core/simulate/index.ts";
import { ruleOf, rulesetOf } from "#test/support/rulesets.ts";

const ports = (kind: "tcp" | "udp", from: number, to = from): Rule["protocol"] => ({
  kind,
  ports: { kind: "ranges", ranges: [{ from, to }] },
  sourcePorts: { kind: "any" },
});
const incoming = (over: Partial<Rule>): Rule =>
  ruleOf({ scope: "host", direction: "in", verdict: "accept", counter: "r_a", ...over });
const last = incoming({ section: "end", verdict: "drop", row: "defaults/host#in", counter: "r_z" });
const rulesetWith = (...rules: readonly Rule[]): Ruleset =>
  rulesetOf({
    scopes: [{ kind: "host" }],
    sets: [
      { name: "h_some", kind: "hosts", elements: ["192.0.2.1", "2001:db8::1"] },
      { name: "h_none", kind: "hosts", elements: [] },
    ],
    rules: [...rules, last],
  });
const guard = Guard.parse({
  management: {
    interfaces: ["wg0"],
    allow: [{ cidr: "10.0.0.0/8", proto: "tcp", port: 5900, last_port: 5999 }],
  },
});
const rules = (...given: readonly Rule[]) => ({
  ruleset: rulesetWith(...given),
  guard,
});
const socket = (protocol: "tcp" | "udp", port: number, over: Partial<Listener> = {}): Listener => ({
  protocol,
  port,
  address: "0.0.0.0",
  ephemeral: false,
  inode: port,
  ...over,
});
const now = 1_000;
const compared = (found: readonly Listener[], ...given: readonly Rule[]) => {
  const result = findUnmatched(found, rules(...given), now);
  return {
    undeclared: result?.undeclared.map(([first]) => `${first?.protocol} ${first?.port}`),
    silent: result?.silent.map(
      ({ protocol, port, last_port }) => `${protocol} ${port}-${last_port}`,
    ),
  };
};

describe("what listens beside the rules", () => {
  const web = incoming({ protocol: ports("tcp", 443) });

  it("is what no row lets anybody reach, and rows that nothing answers", () => {
    const found = [
      socket("tcp", 8080),
      socket("tcp", 8080, { address: "::", inode: 1 }),
      socket("udp", 443),
    ];
    expect(compared(found, web)).toEqual({
      undeclared: ["tcp 8080", "udp 443"],
      silent: ["tcp 443-443"],
    });
    expect(compared([socket("tcp", 443)], web)).toEqual({ undeclared: [], silent: [] });
  });

  it.each<[string, Listener, boolean]>([
    ["a management port of the guard", socket("tcp", 5950), false],
    ["a DHCP client, v4 and v6", socket("udp", 546), false],
    ["a UDP port as clients have them", socket("udp", 40_000, { ephemeral: true }), false],
    ["any other UDP port", socket("udp", 5353), true],
  ])("names %s as it should", (_, listener, named) => {
    expect(compared([listener]).undeclared).toHaveLength(named ? 1 : 0);
  });

  it.each<[string, Partial<Rule>, boolean]>([
    ["is for replies", { state: "established" }, false],
    ["expired", { expires: now }, false],
    ["expires later", { expires: now + 1 }, true],
    ["is for nobody", { source: { kind: "set", set: "h_none" } }, false],
    ["is for somebody", { source: { kind: "set", set: "h_some" } }, true],
    ["is for what leaves", { direction: "out" }, false],
  ])("counts a rule that %s for what it is", (_, over, counts) => {
    const out = over.direction === "out" ? [incoming({ direction: "out" })] : [];
    const rule = incoming({ protocol: ports("tcp", 80), ...over });
    expect(compared([socket("tcp", 80)], rule, ...out).undeclared).toEqual(
      counts ? [] : ["tcp 80"],
    );
    expect(compared([], rule, ...out).silent).toEqual(counts ? ["tcp 80-80"] : []);
  });

  it("takes a range for one service, and asks none of a rule for all ports", () => {
    const range = incoming({ protocol: ports("tcp", 5000, 5009) });
    expect(compared([socket("tcp", 5003)], range)).toEqual({ undeclared: [], silent: [] });
    expect(compared([], range).silent).toEqual(["tcp 5000-5009"]);
    const all = incoming({
      protocol: { kind: "tcp", ports: { kind: "any" }, sourcePorts: { kind: "any" } },
    });
    expect(compared([socket("tcp", 1)], all)).toEqual({ undeclared: [], silent: [] });
    expect(compared([], all).silent).toEqual([]);
  });

  it("is nothing where the host scope is not judged", () => {
    const ruleset = { scopes: [], sets: [], classes: [], rules: [] };
    expect(findUnmatched([socket("tcp", 1)], { ...rules(), ruleset }, now)).toBeUndefined();
  });

  it("never names as undeclared what simulate accepts from anybody", () => {
    const rule = fc.record({
      verdict: fc.constantFrom("accept" as const, "drop" as const),
      source: fc.constantFrom<Rule["source"]>(
        { kind: "any" },
        { kind: "set", set: "h_some" },
        { kind: "set", set: "h_none" },
      ),
      state: fc.constantFrom("any" as const, "new" as const, "established" as const),
      expires: fc.constantFrom(null, now, now + 1),
      protocol: fc.constantFrom<Rule["protocol"]>(
        { kind: "any" },
        { kind: "icmp", types: null },
        ports("tcp", 1, 3),
        ports("udp", 2),
        ports("tcp", 3, 4),
      ),
    });
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 5 }), (drawn) => {
        const given = rules(...drawn.map(incoming));
        const judge = prepare(given.ruleset, given.guard);
        const found = [1, 2, 3, 4, 5].flatMap((port) => [socket("tcp", port), socket("udp", port)]);
        for (const [listener] of findUnmatched(found, given, now)?.undeclared ?? [])
          for (const source of ["192.0.2.1", "198.51.100.9"]) {
            const { protocol = "tcp", port = 0 } = listener ?? {};
            const packet = {
              hook: "input",
              iif: "eth0",
              protocol,
              port,
              source,
              destination: "203.0.113.1",
              state: "new",
              at: now,
            } as const;
            expect(judge(packet).verdict).not.toBe("accept");
          }
      }),
    );
  });

  it("fits a report, however much there is of it", () => {
    const found = Array.from({ length: 300 }, (_, i) =>
      socket("tcp", 1 + (i % 100), { address: `192.0.2.${i % 250}` }),
    );
    const silent = Array.from({ length: 70 }, (_, i) =>
      incoming({ protocol: ports("udp", 1 + i) }),
    );
    const result = findUnmatched(found, rules(...silent), now);
    const said = describeListening(
      result ?? { undeclared: [], silent: [] },
      new Map([[1, "sshd"]]),
    );
    expect(Listening.parse(said)).toMatchObject({ undeclared: { more: 36 }, silent: { more: 6 } });
    expect(said.undeclared.entries[0]).toMatchObject({ protocol: "tcp", port: 1, process: "sshd" });
  });
});

describe("the watch", () => {
  it("makes news of what stood for two looks, and of nothing that was told", async () => {
    let found: readonly Listener[] = [];
    const watch = new ServiceWatch(
      () => found,
      () => undefined,
    );
    const look = async (...open: readonly Listener[]): Promise<boolean> => {
      found = open;
      await watch.readServices(rules(), now);
      return watch.isNews;
    };
    expect([await look(), await look()]).toEqual([false, true]);
    watch.noteReported(watch.found);
    const port = socket("tcp", 8080, { inode: 0 });
    expect([await look(), await look(port), await look(), await look(port)]).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(await look(port)).toBe(true);
    watch.noteReported(watch.found);
    expect(await look(port)).toBe(false);
  });

  it("looks once a minute, and at once when the rules changed or the clock was set back", async () => {
    let looks = 0;
    const watch = new ServiceWatch(
      () => ((looks += 1), []),
      () => undefined,
    );
    const [before, after] = [rules(), rules()];
    const looksAt = async (which: typeof before, at: number): Promise<number> => {
      await watch.readServices(which, at);
      return looks;
    };
    expect([await looksAt(before, now), await looksAt(before, now + 59)]).toEqual([1, 1]);
    expect([await looksAt(before, now + 60), await looksAt(after, now + 61)]).toEqual([2, 3]);
    expect([await looksAt(after, now), await looksAt(after, now + 1)]).toEqual([4, 4]);
  });

  it("says once that it cannot look, and compares with nothing before there are rules", async () => {
    const lines: string[] = [];
    const watch = new ServiceWatch(
      () => {
        throw Object.assign(new Error("EACCES: no"), { code: "EACCES" });
      },
      (line) => void lines.push(line),
    );
    await watch.readServices(undefined, now);
    expect([watch.found, lines]).toEqual([null, []]);
    for (let i = 0; i < 3; i += 1) await watch.readServices(rules(), now);
    expect([watch.found, lines]).toEqual([null, ["cannot tell what listens here: EACCES: no"]]);
  });
});
