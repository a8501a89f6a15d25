/**
 * Bundles that a thief of the signing keys makes to keep an agent busy: each family is one way to make a check of
 * rules cost more than the bundle's size. Valid by their type; `n` says how large, by what is said twice for twice n.
 */
import type { Rule, Ruleset, Source } from "#schema/ruleset.ts";
import { ruleOf, rulesetOf } from "./rulesets.ts";

const host = { scope: "host", direction: "in", verdict: "accept" } as const;
const times = <T>(n: number, make: (i: number) => T): T[] =>
  Array.from({ length: n }, (_, i) => make(i));
const tcp = (...ports: readonly (readonly [number, number])[]): Rule["protocol"] => ({
  kind: "tcp",
  ports: { kind: "ranges", ranges: ports.map(([from, to]) => ({ from, to })) },
  sourcePorts: { kind: "any" },
});
const fromSet = (set: string): Source => ({ kind: "set", set });
const hostOnly = (parts: Partial<Ruleset>): Ruleset =>
  rulesetOf({ scopes: [{ kind: "host" }], ...parts });
const address = (i: number): string => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;
const network = (i: number): string =>
  `${20 + ((i >> 14) & 127)}.${(i >> 6) & 255}.${(i & 63) * 4}.0/22`;
const sortedTexts = (texts: readonly string[]): string[] => [...new Set(texts)].sort();

export type Family = (n: number) => Ruleset;

export const families: Readonly<Record<string, Family>> = {
  "overlapping port ranges from as many sets of public networks": (n) =>
    hostOnly({
      sets: times(n, (i) => ({
        name: `n_${i}`,
        kind: "networks" as const,
        elements: [network(i)],
      })).sort((a, b) => (a.name < b.name ? -1 : 1)),
      rules: times(n, (i) =>
        ruleOf({
          ...host,
          counter: `r_${i}`,
          protocol: tcp([1 + (i % 30_000), 65_535 - (i % 30_000)]),
          source: fromSet(`n_${i}`),
        }),
      ),
    }),
  "exact ports and ranges in turn": (n) =>
    hostOnly({
      rules: times(n, (i) =>
        ruleOf({
          ...host,
          counter: `r_${i}`,
          protocol: tcp(
            i % 2 === 0
              ? [1 + (i % 60_000), 1 + (i % 60_000)]
              : [1 + (i % 60_000), 3 + (i % 60_000)],
          ),
        }),
      ),
    }),
  "rules of many ports each": (n) =>
    hostOnly({
      rules: times(Math.ceil(n / 50), (i) =>
        ruleOf({
          ...host,
          counter: `r_${i}`,
          protocol: tcp(
            ...times(50, (j): [number, number] => [
              1 + ((i * 7 + j * 611) % 65_000),
              1 + ((i * 7 + j * 611) % 65_000),
            ]),
          ),
        }),
      ),
    }),
  "scopes, each with an end in each direction": (n) => {
    const scopes = times(Math.min(1_000, n), (i) => ({
      kind: "overlay" as const,
      name: `o${String(i).padStart(6, "0")}`,
      interfaces: [`tun${i}`],
      subnets: [`10.${i >> 8}.${i & 255}.0/24`],
    }));
    return rulesetOf({ scopes: [{ kind: "host" }, ...scopes] });
  },
  "interfaces of one scope": (n) =>
    rulesetOf({
      scopes: [
        { kind: "host" },
        {
          kind: "overlay",
          name: "o",
          interfaces: times(Math.min(1_000, n), (i) => `tun${i}`),
          subnets: times(Math.min(1_000, n), (i) => `10.${i >> 8}.${i & 255}.0/24`),
        },
      ],
    }),
  "public networks of one set": (n) =>
    hostOnly({
      sets: [{ name: "n_wide", kind: "networks", elements: sortedTexts(times(n, network)) }],
      rules: [
        ruleOf({ ...host, counter: "r_a", protocol: tcp([22, 22]), source: fromSet("n_wide") }),
      ],
    }),
  "one set named by many ports": (n) =>
    hostOnly({
      sets: [{ name: "n_wide", kind: "networks", elements: sortedTexts(times(500, network)) }],
      rules: times(n, (i) =>
        ruleOf({
          ...host,
          counter: `r_${i}`,
          protocol: tcp([1 + (i % 65_000), 1 + (i % 65_000)]),
          source: fromSet("n_wide"),
        }),
      ),
    }),
  "accepts and drops in turn, each from a set of its own": (n) =>
    hostOnly({
      sets: times(n, (i) => ({
        name: `h_${i}`,
        kind: "hosts" as const,
        elements: [address(i)],
      })).sort((a, b) => (a.name < b.name ? -1 : 1)),
      rules: times(n, (i) =>
        ruleOf({
          ...host,
          verdict: i % 2 === 0 ? "accept" : "drop",
          counter: `r_${i}`,
          protocol: tcp([1 + (i % 65_000), 1 + (i % 65_000)]),
          source: fromSet(`h_${i}`),
        }),
      ),
    }),
  "half of the internet, a piece of it at each port": (n) =>
    hostOnly({
      sets: times(64, (i) => ({
        name: `n_${100 + i}`,
        kind: "networks" as const,
        elements: [`${30 + i}.0.0.0/8`],
      })),
      rules: times(n, (i) =>
        ruleOf({
          ...host,
          counter: `r_${i}`,
          protocol: tcp([1 + i, Math.min(65_535, 400 + i)]),
          source: fromSet(`n_${100 + (i % 64)}`),
        }),
      ),
    }),
  "classes that no set is named after": (n) =>
    hostOnly({
      sets: times(n, (i) => ({
        name: `g_${1_000 + i}`,
        kind: "addresses" as const,
        elements: [address(i)],
      })).sort((a, b) => (a.name < b.name ? -1 : 1)),
      classes: [
        {
          name: "k_a",
          classes: times(n, (i) => ({
            name: `k_${100_000 + i}`,
            set: `g_${1_000 + i}`,
          })),
        },
      ],
    }),
  "classes looked up in turn with sets": (n) =>
    hostOnly({
      sets: [
        { name: "g_a", kind: "addresses", elements: [address(1)] },
        { name: "g_b", kind: "addresses", elements: times(Math.ceil(n / 10), address) },
      ],
      classes: [{ name: "k_a", classes: [{ name: "k_1", set: "g_b" }] }],
      rules: times(20, (i) =>
        ruleOf({
          ...host,
          counter: `r_${i}`,
          source: i % 2 === 0 ? { kind: "class", map: "k_a", class: "k_1" } : fromSet("g_a"),
        }),
      ),
    }),
};
