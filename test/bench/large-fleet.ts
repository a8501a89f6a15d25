/** A fleet of any size whose hosts are alike: the work per host depends on the host, never on how many there are. */
import type { Host, Member, Service, Snapshot, Zone } from "#schema/intent.ts";

interface Size {
  readonly hosts: number;
  readonly services: number;
  readonly members: number;
}

const perRole = 10;
const perGroup = 100;

/**
 * Every service runs on the hosts of its role and is open to a zone, a group, another role and a port for all; every
 * host fills three roles. One gateway for each 1,000 members, so that overlays grow with the fleet.
 */
export function largeFleet({ hosts, services, members }: Size): Snapshot {
  const count = <T>(length: number, make: (i: number) => readonly [string, T]): Map<string, T> =>
    new Map(Array.from({ length }, (_, i) => make(i)));
  const gateways = Math.ceil(members / 1000);
  const groups = Math.ceil(1000 / perGroup);
  return {
    revision: 1,
    hosts: count<Host>(hosts, (i) => [
      `h${i}`,
      {
        addresses: [`10.${i >> 8}.${i & 255}.1`, `fd00:0:0:${(i + 1).toString(16)}::1`],
        roles: [0, 1, 2].map((k) => `s${(Math.floor(i / perRole) * 3 + k) % services}`),
        labels: {},
      },
    ]),
    zones: count<Zone>(Math.ceil(services / 10), (i) => [
      `z${i}`,
      { cidrs: [`172.16.${i}.0/24`, `fd01:0:0:${(i + 1).toString(16)}::/64`] },
    ]),
    services: count<Service>(services, (i) => [
      `s${i}`,
      {
        ingress: [
          { from: `zone:z${Math.floor(i / 10)}`, port: 443, proto: "tcp" },
          { from: `group:o${i % gateways}/g${i % groups}`, port: "8000-8010", proto: "tcp" },
          { from: `role:s${(i + 1) % services}`, port: 5432, proto: "tcp" },
          { from: "any", macro: "dns" },
        ],
      },
    ]),
    overlays: count(gateways, (i) => [
      `o${i}`,
      {
        host: `h${i}`,
        interfaces: ["tun0"],
        subnets: [`10.${100 + i}.0.0/16`],
        policy: "group-based",
        groups: Array.from({ length: groups }, (_, k) => `g${k}`),
      },
    ]),
    members: count<Member>(members, (i) => [
      `o${Math.floor(i / 1000)}/m${i}`,
      {
        group: `g${i % groups}`,
        addresses: [`10.${100 + Math.floor(i / 1000)}.${((i % 1000) >> 8) + 1}.${i & 255}`],
      },
    ]),
  };
}
