/** Who is everybody: what guards refuse of lists of networks, and which rows they blame for it. */
import { describe, expect, test } from "vitest";
import { formatAddress } from "#schema/address.ts";
import { Guard } from "#schema/guard.ts";
import type { Rule, Ruleset } from "#schema/ruleset.ts";
import { guardRefusals } from "#core/simulate/admission.ts";
import { ruleOf, rulesetOf } from "#test/support/rulesets.ts";

const guard = Guard.parse({ management: { interfaces: ["mgmt0"], allow: [] } });
const assignedV6 =
  "2001::/16 2002::/16 2003::/18 2400::/12 2410::/12 2600::/12 2610::/23 2620::/23 2630::/12 2800::/12 2a00::/12 2a10::/12 2c00::/12";

const accept = (
  row: string,
  set: string | null,
  ...ports: readonly (readonly [number, number])[]
): Rule =>
  ruleOf({
    row: `services/${row}`,
    scope: "host",
    direction: "in",
    verdict: "accept",
    counter: `r_${row}`,
    protocol: {
      kind: "tcp",
      ports: { kind: "ranges", ranges: ports.map(([from, to]) => ({ from, to })) },
      sourcePorts: { kind: "any" },
    },
    source: set === null ? { kind: "any" } : { kind: "set", set: `n_${set}` },
  });

const opened = (sets: Readonly<Record<string, string>>, ...rules: readonly Rule[]): Ruleset =>
  rulesetOf({
    scopes: [{ kind: "host" }],
    sets: Object.entries(sets).map(([name, networks]) => ({
      name: `n_${name}`,
      kind: "networks" as const,
      elements: networks.split(" "),
    })),
    rules: [...rules],
  });

const ssh = [22, 22] as const;
const linesOf = (ruleset: Ruleset): readonly string[] =>
  guardRefusals(ruleset, guard).map(({ line }) => line);

describe("a guarded port", () => {
  test.each([
    ["every block that registries were given of IPv6", assignedV6],
    ["three halves of it that no sixteenth of IPv4 is", "32.0.0.0/5 40.0.0.0/6 44.0.0.0/7"],
    ["a network of IPv4 wider than a /8", "44.0.0.0/7"],
    ["two halves that are one network wider than a /8", "44.0.0.0/8 45.0.0.0/8"],
    ["a network of IPv6 wider than a /20", "2600::/19"],
    ["four /8 apart from each other", "20.0.0.0/8 30.0.0.0/8 40.0.0.0/8 50.0.0.0/8"],
    ["an eighth of IPv6, all but empty", "2000::/3"],
    ["everything, as a network", "0.0.0.0/0"],
  ])("is not opened to %s", (_, networks) => {
    expect(linesOf(opened({ a: networks }, accept("a", "a", ssh)))).toContain(
      "never_accept_from_any",
    );
  });

  test.each([
    ["a provider's /8", "44.0.0.0/8"],
    ["a provider's /20 of IPv6", "2600::/20"],
    [
      "all private and unique local space, and carriers'",
      "10.0.0.0/8 100.64.0.0/10 172.16.0.0/12 192.168.0.0/16 fc00::/7",
    ],
    ["multicast and reserved space, from which nothing comes", "224.0.0.0/3"],
  ])("may be opened to %s", (_, networks) => {
    expect(linesOf(opened({ a: networks }, accept("a", "a", ssh)))).toEqual([]);
  });

  test("is not opened to everybody by several rows of which none does it alone", () => {
    const sets = {
      a: "20.0.0.0/8",
      b: "30.0.0.0/8",
      c: "40.0.0.0/8",
      d: "50.0.0.0/8",
      e: "10.0.0.0/8",
    };
    const rules = Object.keys(sets).map((name) => accept(name, name, [20, 30]));
    const [refusal] = guardRefusals(opened(sets, ...rules), guard);
    expect(refusal?.line).toBe("never_accept_from_any");
    expect(refusal?.rows).toEqual(["a", "b", "c", "d"].map((name) => `services/${name}`));
  });

  test("is counted once where rows name the same networks twice", () => {
    const sets = { a: "20.0.0.0/8 30.0.0.0/8", b: "20.0.0.0/8 30.0.0.0/9", c: "20.0.0.0/8" };
    const rules = Object.keys(sets).map((name) => accept(name, name, ssh));
    expect(linesOf(opened(sets, ...rules))).toEqual([]);
  });
});

test("a refusal names the rows that are to blame, and no other on the same port", () => {
  const sets = { lan: "10.0.0.0/8", wide: "44.0.0.0/7" };
  const rules = [
    accept("lan", "lan", ssh),
    accept("wide", "wide", ssh),
    accept("web", null, [443, 443]),
  ];
  expect(guardRefusals(opened(sets, ...rules), guard)).toEqual([
    expect.objectContaining({
      line: "never_accept_from_any",
      things: ["tcp 22"],
      rows: ["services/wide"],
      message: "the bundle opens tcp 22 to everybody or to a wide network, the guard never does",
    }),
  ]);
});

test("hosts multiplied by ports count as the elements that the kernel would hold", () => {
  const elements = Array.from({ length: 1_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  const ports = Array.from({ length: 1_000 }, (_, i): [number, number] => [10_000 + i, 10_000 + i]);
  const rule = {
    ...accept("a", "hosts", ...ports),
    source: { kind: "set", set: "h_hosts" } as const,
  };
  const ruleset = rulesetOf({
    scopes: [{ kind: "host" }],
    sets: [{ name: "h_hosts", kind: "hosts", elements }],
    rules: [rule],
  });
  expect(guardRefusals(ruleset, guard)).toEqual([
    expect.objectContaining({
      line: "limits.max_elements",
      message: expect.stringMatching(/1002000 set elements/) as string,
    }),
  ]);
});

test("a rule for each length of prefix counts as the rules that the kernel would hold", () => {
  const subnets = Array.from(
    { length: 100 },
    (_, i) => `${formatAddress("v6", (0xfd00n << 112n) | (1n << BigInt(100 - i)))}/${28 + i}`,
  );
  const overlay = { kind: "overlay", name: "o", interfaces: ["tun0"], subnets } as const;
  const rules = Array.from({ length: 500 }, (_, i) =>
    ruleOf({
      scope: "overlay/o",
      direction: "peer",
      verdict: "accept",
      counter: `r_${i}`,
      destination: { kind: "source-subnet" },
    }),
  );
  const ruleset = rulesetOf({
    scopes: [{ kind: "host" }, { ...overlay, interfaces: ["tun0"], subnets }],
    rules,
  });
  expect(linesOf(ruleset)).toContain("limits.max_rules");
});

describe("what a kernel would hold is counted, however few words say it:", () => {
  const times = <T>(n: number, make: (i: number) => T): T[] =>
    Array.from({ length: n }, (_, i) => make(i));
  const odd = (n: number) => times(n, (i): [number, number] => [1 + 2 * i, 1 + 2 * i]);
  const everyLength = times(120, (i) => `${formatAddress("v6", 0xfdn << 120n)}/${8 + i}`);
  const overlay = (name: string, interfaces: string[], subnets: string[]) =>
    ({ kind: "overlay", name, interfaces, subnets }) as const;

  test.each<[string, string, Ruleset]>([
    [
      "a look-up for each port of a rule about the host",
      "limits.max_rules",
      opened(
        { a: "20.0.0.0/22" },
        accept("a", "a", ...odd(21_000).map(([port]) => [port, port] as const)),
      ),
    ],
    [
      "a set and a rule for each length of prefix of each overlay",
      "limits.max_rules",
      rulesetOf({
        scopes: [
          { kind: "host" },
          ...times(200, (i) => overlay(`o${i + 100}`, [`tun${i}`], everyLength)),
        ],
      }),
    ],
    [
      "ports in the rule of each length of prefix",
      "limits.max_elements",
      rulesetOf({
        scopes: [{ kind: "host" }, overlay("o", ["tun0"], everyLength)],
        rules: [
          ruleOf({
            ...accept("a", null, ...odd(5_000)),
            scope: "overlay/o",
            direction: "peer",
            destination: { kind: "source-subnet" },
          }),
        ],
      }),
    ],
    [
      "devices in each rule that names them",
      "limits.max_elements",
      rulesetOf({
        scopes: [
          { kind: "host" },
          ...times(40, (i) =>
            overlay(
              `o${i + 100}`,
              times(1_000, (j) => `tun${i * 1_000 + j}`),
              [`10.${i}.0.0/24`],
            ),
          ),
        ],
      }),
    ],
  ])("%s", (_, line, ruleset) => {
    expect(linesOf(ruleset)).toContain(line);
  });
});
