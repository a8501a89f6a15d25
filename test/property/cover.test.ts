import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { minimalNetworks } from "#core/compile/cover.ts";
import type { Family, Network } from "#schema/address.ts";
import { contains, familyBits, formatNetwork, requireNetwork, networkOf } from "#schema/address.ts";

/** Crowded: networks of a few bits around few places, the ends of each family among them. */
const crowded: fc.Arbitrary<string> = fc
  .record({
    family: fc.constantFrom<Family>("v4", "v6"),
    place: fc.constantFrom(0n, 0x0a08_0000n, (1n << 32n) - 64n),
    offset: fc.nat({ max: 63 }),
    wide: fc.nat({ max: 7 }),
    end: fc.boolean(),
  })
  .map(({ family, place, offset, wide, end }) => {
    const bits = familyBits[family];
    const base = family === "v6" && end ? (1n << 128n) - 64n : place;
    return formatNetwork(networkOf(family, base + BigInt(offset), bits - wide));
  });
const anywhere: fc.Arbitrary<string> = fc
  .record({
    v6: fc.boolean(),
    address: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
    prefix: fc.nat({ max: 128 }),
  })
  .map(({ v6, address, prefix }) =>
    formatNetwork(
      v6 ? networkOf("v6", address, prefix) : networkOf("v4", address >> 96n, prefix % 33),
    ),
  );
const networks = fc.array(fc.oneof(crowded, anywhere), { maxLength: 30 });

const edges = (network: Network): readonly Network[] =>
  [network.first - 1n, network.first, network.last, network.last + 1n]
    .filter((value) => value >= 0n && value < 1n << BigInt(familyBits[network.family]))
    .map((value) => networkOf(network.family, value, familyBits[network.family]));

describe("minimalNetworks", () => {
  test("holds exactly the addresses that it was given, at every edge", () => {
    fc.assert(
      fc.property(networks, (texts) => {
        const [given, covered] = [texts, minimalNetworks(texts)].map((list) =>
          list.map(requireNetwork),
        );
        for (const address of [...(given ?? []), ...(covered ?? [])].flatMap(edges))
          expect(covered?.some((network) => contains(network, address))).toBe(
            given?.some((network) => contains(network, address)),
          );
      }),
      { numRuns: 1000 },
    );
  });

  test("is sorted, without overlap, and no two of it are the halves of one network", () => {
    fc.assert(
      fc.property(networks, (texts) => {
        const covered = minimalNetworks(texts).map(requireNetwork);
        for (const [i, next] of covered.entries()) {
          const before = covered[i - 1];
          if (before === undefined || before.family !== next.family) continue;
          expect(before.last < next.first).toBe(true);
          if (before.prefix !== next.prefix) continue;
          const parent = networkOf(next.family, before.first, next.prefix - 1);
          expect(contains(parent, before) && contains(parent, next)).toBe(false);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("says the same of any order, and of its own answer", () => {
    fc.assert(
      fc.property(networks, (texts) => {
        const covered = minimalNetworks(texts);
        expect(minimalNetworks(texts.toReversed())).toEqual(covered);
        expect(minimalNetworks(covered)).toEqual(covered);
      }),
    );
  });

  test.each([
    [[], []],
    [["0.0.0.0/1", "128.0.0.0/1"], ["0.0.0.0/0"]],
    [
      ["::/1", "8000::/1", "10.0.0.0/8"],
      ["10.0.0.0/8", "::/0"],
    ],
    [
      ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"],
      ["10.0.0.0/23", "10.0.2.0/24"],
    ],
    [
      ["10.0.1.0/24", "10.0.2.0/24"],
      ["10.0.1.0/24", "10.0.2.0/24"],
    ],
    [
      ["10.0.0.1/32", "10.0.0.3/32"],
      ["10.0.0.1", "10.0.0.3"],
    ],
    [["255.255.255.255/32", "255.255.255.254/32"], ["255.255.255.254/31"]],
  ])("%j is %j", (given, expected) => {
    expect(minimalNetworks(given)).toEqual(expected);
  });
});
