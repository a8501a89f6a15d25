/**
 * Arbitrary intent, packets, rulesets and guards for property tests. All are valid on purpose: what is invalid has
 * unit tests, one case each. Addresses are drawn from few networks and low host numbers, so that packets meet members.
 */
import fc from "fast-check";
import { requireNetwork } from "#schema/address.ts";
import { Guard } from "#schema/guard.ts";
import { OverlayPolicy } from "#schema/intent.ts";
import type { Hook, Packet, PacketState, Payload } from "#core/simulate/index.ts";
import { arbitraryCatalogSketch, catalogRows } from "./arbitrary-catalog.ts";
import type { WrittenRow } from "./intent.ts";
import { addressIn, networkPool } from "./network-pool.ts";

const elsewhere = ["198.51.100.7", "10.8.2.1", "2001:db8::7", "fd00:b::1"];

const pooledAddress = fc
  .tuple(fc.constantFrom(...networkPool), fc.nat({ max: 5 }))
  .map(([network, offset]) => addressIn(requireNetwork(network), offset));

export const arbitraryKey = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,7}$/);
const commonName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,7}$/);
const uniqueKeys = (maxLength: number, minLength = 0) =>
  fc.uniqueArray(arbitraryKey, { minLength, maxLength });

interface Sketch {
  readonly host: number;
  readonly interfaces: 1 | 2;
  readonly subnets: readonly string[];
  readonly policy: OverlayPolicy;
  readonly groups: readonly string[];
  readonly members: readonly {
    readonly cn: string;
    readonly group: number;
    readonly at: readonly { readonly subnet: number; readonly offset: number }[];
  }[];
}

const arbitrarySketch: fc.Arbitrary<Sketch> = fc.record({
  host: fc.nat(),
  interfaces: fc.constantFrom(1, 2),
  subnets: fc.shuffledSubarray([...networkPool], { minLength: 1 }),
  policy: fc.constantFrom(...OverlayPolicy.options),
  groups: uniqueKeys(3),
  members: fc.uniqueArray(
    fc.record({
      cn: commonName,
      group: fc.nat(),
      at: fc.array(fc.record({ subnet: fc.nat(), offset: fc.nat({ max: 5 }) }), { maxLength: 3 }),
    }),
    { maxLength: 8, selector: (member) => member.cn },
  ),
});

/** Rows of intent that compiles without an error; warnings are common. */
export const arbitraryIntent: fc.Arbitrary<readonly WrittenRow[]> = fc
  .record({
    hosts: uniqueKeys(3, 1),
    catalog: arbitraryCatalogSketch,
    overlays: fc.uniqueArray(fc.tuple(arbitraryKey, arbitrarySketch), {
      maxLength: 4,
      selector: ([key]) => key,
    }),
  })
  .map(({ hosts, overlays, catalog }) => {
    const taken: Taken = { addresses: new Map(), subnets: new Set() };
    const groups = overlays.flatMap(([key, { groups: names }]) =>
      names.map((name) => `${key}/${name}`),
    );
    const rows = catalogRows(hosts, groups, catalog);
    for (const row of rows)
      if (row.kind === "host")
        for (const address of row.body.addresses ?? []) taken.addresses.set(address, row.key);
    return [
      ...rows,
      ...overlays.flatMap(([key, sketch], i) => overlayRows(hosts, key, sketch, i, taken)),
    ];
  });

const cycle = <T>(items: readonly T[], index: number): T | undefined => items[index % items.length];

/** An address has one owner, a host or a member; an address of a host's overlays lies in one of them. */
interface Taken {
  /** Owner of each address: a host's key, or null for a member. */
  readonly addresses: Map<string, string | null>;
  /** As `host network`. */
  readonly subnets: Set<string>;
}

function overlayRows(
  hosts: readonly string[],
  key: string,
  sketch: Sketch,
  index: number,
  taken: Taken,
): WrittenRow[] {
  const host = cycle(hosts, sketch.host) ?? "";
  const subnets = sketch.subnets.filter((subnet) => !taken.subnets.has(`${host} ${subnet}`));
  if (subnets.length === 0)
    return [{ kind: "overlay", key, body: lastResort(host, sketch, index) }];
  for (const subnet of subnets) taken.subnets.add(`${host} ${subnet}`);
  const own = new Set<string>();
  const members = sketch.members.flatMap(({ cn, group, at }): WrittenRow[] => {
    const name = cycle(sketch.groups, group);
    if (name === undefined) return [];
    const wanted = at.map(({ subnet, offset }) =>
      addressIn(requireNetwork(cycle(subnets, subnet) ?? ""), offset),
    );
    // A member whose first address is a host's is that host.
    const machine = taken.addresses.get(wanted[0] ?? "") ?? null;
    const addresses = wanted.filter((address) => {
      const owner = taken.addresses.get(address);
      if (own.has(address) || (owner !== undefined && (owner === null || owner !== machine)))
        return false;
      if (owner === undefined) taken.addresses.set(address, machine);
      own.add(address);
      return true;
    });
    return [
      {
        kind: "member",
        key: `${key}/${cn}`,
        body: { group: name, addresses, ...(machine === null ? {} : { host: machine }) },
      },
    ];
  });
  return [
    { kind: "overlay", key, body: { ...lastResort(host, sketch, index), subnets } },
    ...members,
  ];
}

/** With a network of its own, where the host's other overlays have all the others. */
const lastResort = (host: string, { interfaces, policy, groups }: Sketch, index: number) => ({
  host,
  interfaces: [`tun-a.${index}`, `wg_${index}`].slice(0, interfaces),
  subnets: [`10.11.${index}.0/24`],
  policy,
  groups: [...groups],
});

const interfaceName = fc.constantFrom(
  "eth0",
  "eth1",
  "lo",
  "mgmt0",
  "tun-a.0",
  "wg_0",
  "tun-a.1",
  "wg_1",
);
const port = fc.oneof(fc.constantFrom(22, 53, 68, 443, 546), fc.integer({ min: 1, max: 65_535 }));
const states: readonly PacketState[] = ["new", "established", "related", "invalid", "untracked"];

const arbitraryHook: fc.Arbitrary<Hook> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ hook: fc.constant("forward"), iif: interfaceName, oif: interfaceName }),
  },
  { weight: 1, arbitrary: fc.record({ hook: fc.constant("input"), iif: interfaceName }) },
  { weight: 1, arbitrary: fc.record({ hook: fc.constant("output"), oif: interfaceName }) },
);
const arbitraryPayload: fc.Arbitrary<Payload> = fc.oneof(
  fc.record({ protocol: fc.constantFrom("tcp", "udp"), port, sourcePort: port }),
  fc.record({ protocol: fc.constant("icmp"), icmpType: fc.nat({ max: 255 }) }),
  fc.record({ protocol: fc.constant("igmp"), ttl: fc.constantFrom(1, 64) }),
  fc.record({ protocol: fc.constant("other") }),
);
const anyAddress = fc.oneof(
  { weight: 5, arbitrary: pooledAddress },
  { weight: 1, arbitrary: fc.constantFrom(...elsewhere) },
);

export const arbitraryPacket: fc.Arbitrary<Packet> = fc
  .record({
    hook: arbitraryHook,
    payload: arbitraryPayload,
    source: anyAddress,
    destination: anyAddress,
    state: fc.constantFrom(...states),
  })
  .filter(({ source, destination }) => source.includes(":") === destination.includes(":"))
  .map(({ hook, payload, ...rest }) => ({ ...hook, ...payload, ...rest }));

/** A new TCP or UDP packet for the host itself that nothing but a grant lets in, at some time. */
export const arbitraryArrival = fc
  .record({
    hook: fc.constant("input" as const),
    iif: fc.constant("eth0"),
    protocol: fc.constantFrom("tcp" as const, "udp" as const),
    port: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom(22, 49, 50, 53, 60, 61, 400, 443, 500, 501) },
      { weight: 1, arbitrary: fc.integer({ min: 600, max: 65_535 }) },
    ),
    source: anyAddress,
    state: fc.constantFrom("new" as const, "untracked" as const),
    at: fc.constantFrom(1_700_000_000, 1_893_455_999, 1_893_456_000, 1_924_991_999, 1_924_992_000),
  })
  .map((packet) => ({
    ...packet,
    destination: packet.source.includes(":") ? "2001:db8::1" : "192.0.2.1",
  }));

const guardFlow = fc
  .record({
    cidr: fc.constantFrom(...networkPool, "0.0.0.0/0", "::/0"),
    proto: fc.constantFrom("tcp" as const, "udp" as const),
    port,
    span: fc.nat({ max: 100 }),
  })
  .map(({ span, ...flow }) => {
    const last_port = Math.min(flow.port + span, 65_535);
    return last_port === flow.port ? flow : { ...flow, last_port };
  });
const management = fc
  .record({
    interfaces: fc.subarray(["mgmt0", "eth1", "tun-a.0"]),
    allow: fc.array(guardFlow, { maxLength: 3 }),
  })
  .filter(({ interfaces, allow }) => interfaces.length + allow.length > 0);
const output = fc.record({ allow: fc.array(guardFlow, { minLength: 1, maxLength: 3 }) });
export const arbitraryGuard: fc.Arbitrary<Guard> = fc
  .record({ management, output }, { requiredKeys: ["management"] })
  .map((guard) => Guard.parse(guard));
