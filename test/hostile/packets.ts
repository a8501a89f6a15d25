/**
 * The packets that a hostile ruleset is held against: every entry of a guard's management plane in and its answer out,
 * and strangers at ports that no bundle opens to everybody.
 */
import fc from "fast-check";
import { type Family, formatAddress, requireNetwork } from "#schema/address.ts";
import { type Guard, neverFromAny } from "#schema/guard.ts";
import type { Packet } from "#core/simulate/index.ts";
import type { Sendable } from "#test/support/frames.ts";

const families = ["v4", "v6"] as const;
/** The host's own. */
export const own = { v4: "192.0.2.1", v6: "2001:db8::1" } as const;
/** Who comes by the management interface, from no network that the guard names. */
const console = { v4: "198.51.100.7", v6: "2001:db8:7::7" } as const;

const lastOf = (cidr: string): string => {
  const { family, last } = requireNetwork(cidr);
  return formatAddress(family, last);
};
const familyOf = (address: string): Family => (address.includes(":") ? "v6" : "v4");

/** Of whoever begins a flow; no answer goes to it. */
const sourcePort = 50_000;

/** Of each entry one in and one out: the first that conntrack sees of a flow is new to it, an answer too. */
export function managementPackets({ management }: Guard): readonly Sendable[] {
  const state = "new" as const;
  const byDevice = management.interfaces.flatMap((device) =>
    families.flatMap((family): readonly Sendable[] => {
      const [source, peer] = [own[family], console[family]];
      return [
        {
          hook: "input",
          iif: device,
          source: peer,
          destination: source,
          protocol: "tcp",
          port: 2222,
          sourcePort,
          state,
        },
        {
          hook: "output",
          oif: device,
          source,
          destination: peer,
          protocol: "udp",
          port: 51_820,
          sourcePort,
          state,
        },
      ];
    }),
  );
  const byFlow = management.allow.flatMap(({ cidr, proto: protocol, port, last_port = port }) =>
    [...new Set([port, last_port])].flatMap((at): readonly Sendable[] => {
      const peer = lastOf(cidr);
      const source = own[familyOf(peer)];
      const answer = { protocol, sourcePort: at, port: 40_000 + at } as const;
      return [
        {
          hook: "input",
          iif: "eth0",
          source: peer,
          destination: source,
          protocol,
          port: at,
          sourcePort,
          state,
        },
        { hook: "output", oif: "eth0", source, destination: peer, ...answer, state },
      ];
    }),
  );
  return [...byDevice, ...byFlow];
}

/** Blocks all over each family in which hosts of the internet are. */
const populated: Readonly<Record<Family, readonly string[]>> = {
  v4: [
    "11.0.0.0/8",
    "24.0.0.0/6",
    "32.0.0.0/4",
    "48.0.0.0/4",
    "64.0.0.0/4",
    "80.0.0.0/5",
    "128.0.0.0/4",
    "208.0.0.0/5",
  ],
  v6: [
    "2400::/12",
    "2410::/12",
    "2600::/12",
    "2630::/12",
    "2800::/12",
    "2a00::/12",
    "2a10::/12",
    "2c00::/12",
  ],
};

/** One from each block; nobody who writes a ruleset knows them. */
export function strangersOf(seed: number): readonly string[] {
  const blocks = families.flatMap((family) => populated[family]);
  const offsets = fc.sample(fc.bigInt({ min: 1n, max: (1n << 120n) - 1n }), {
    seed,
    numRuns: blocks.length,
    unbiased: true,
  });
  return blocks.map((cidr, i) => {
    const { family, first, last } = requireNetwork(cidr);
    return formatAddress(family, first + ((offsets[i] ?? 1n) % (last - first)));
  });
}

/** From so many of a family's eight strangers on a port is open to everybody: far above the share that a guard admits. */
const crowd = 5;

/** Each stranger at a port that is guarded, in each transport. */
export const knocksOf = (strangers: readonly string[]): readonly Sendable[] =>
  strangers.flatMap((source): readonly Sendable[] =>
    (["tcp", "udp"] as const).map((protocol, i) => ({
      hook: "input",
      iif: "eth0",
      source,
      destination: own[familyOf(source)],
      protocol,
      port: neverFromAny[i * 4] ?? 22,
      sourcePort,
      state: "new",
    })),
  );

/** Of the knocks that got in, one for each door that was open to everybody. */
export const openedBy = (inside: readonly Packet[]): readonly Packet[] =>
  [
    ...Map.groupBy(inside, ({ protocol, destination }) => `${protocol} ${destination}`).values(),
  ].flatMap((group) => (group.length >= crowd ? group.slice(0, 1) : []));
