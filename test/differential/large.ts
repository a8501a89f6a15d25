/** Intent whose sets have more than 500 elements, which is more than is printed on one line: a role, a group, a zone. */
import fc from "fast-check";
import type { WrittenRow } from "#test/support/intent.ts";

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** Machines with 64 addresses each, which is the most that one may have. */
const machines = times(9, (host): WrittenRow => ({
  kind: "host",
  key: `m${host}`,
  body: { roles: ["machine"], addresses: times(64, (i) => `10.30.${host}.${i + 1}`) },
}));
const members = times(520, (i): WrittenRow => ({
  kind: "member",
  key: `big/m${i}`,
  body: {
    group: i < 515 ? "dev" : "ops",
    addresses: [`10.31.${i >> 8}.${i & 255}`, `fd00:31::${(i + 1).toString(16)}`],
  },
}));
/** None beside another, so that none is joined. */
const networks = times(600, (i) => `10.${64 + (i >> 8)}.${i & 255}.0/25`);

/** What the first host, `a`, lets in. */
export const largeIntent: fc.Arbitrary<readonly WrittenRow[]> = fc
  .record({
    ports: fc.uniqueArray(fc.constantFrom(22, 80, 443, "50-60"), { minLength: 3, maxLength: 3 }),
    policy: fc.constantFrom("group-based" as const, "same-subnet" as const),
  })
  .map(({ ports, policy }): readonly WrittenRow[] => [
    { kind: "host", key: "a", body: {} },
    ...machines,
    { kind: "zone", key: "far", body: { cidrs: networks } },
    {
      kind: "overlay",
      key: "big",
      body: {
        host: "a",
        interfaces: ["tun-a.0"],
        subnets: ["10.31.0.0/16", "fd00:31::/64"],
        policy,
        groups: ["dev", "ops"],
      },
    },
    ...members,
    {
      kind: "service",
      key: "s",
      body: {
        to: ["host:a"],
        ingress: ["role:machine", "group:big/dev", "zone:far"].map((from, i) => ({
          from,
          port: ports[i] ?? 1,
          proto: "tcp" as const,
        })),
      },
    },
  ]);
