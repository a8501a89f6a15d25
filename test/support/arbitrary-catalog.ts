/**
 * Arbitrary hosts, zones and services that compile without an error. Names are few and shared between kinds on purpose:
 * a source is written out where its bare name would fit two.
 */
import fc from "fast-check";
import { requireNetwork } from "#schema/address.ts";
import type { WrittenRow } from "./intent.ts";
import { addressIn, networkPool } from "./network-pool.ts";

type Grant = Extract<WrittenRow, { kind: "service" }>["body"]["ingress"][number];
type Said = Omit<Grant, "from">;

const names = ["a", "b-1", "b_1", "C.d"] as const;
const name = fc.constantFrom(...names);

interface Sketch {
  readonly hosts: readonly {
    readonly roles: readonly string[];
    readonly at: readonly (readonly [string, number])[];
  }[];
  readonly zones: readonly (readonly [string, readonly string[]])[];
  readonly services: readonly (readonly [string, readonly Draft[], readonly number[] | null])[];
}
/** `pick` chooses among the sources that exist. */
interface Draft {
  readonly pick: number;
  readonly bare: boolean;
  readonly said: Said;
}

const said: fc.Arbitrary<Said> = fc
  .tuple(
    fc.oneof(
      fc.record({
        port: fc.constantFrom<number | string>(22, "22", 53, 443, "50-60", "400-500", "1-65535"),
        proto: fc.constantFrom("tcp" as const, "udp" as const),
      }),
      fc.record({ macro: fc.constantFrom("dns" as const, "https-quic" as const, "ssh" as const) }),
    ),
    fc.option(fc.constantFrom("2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z"), {
      freq: 3,
      nil: undefined,
    }),
    fc.option(fc.constantFrom("why", "because"), { nil: undefined }),
  )
  .map(([what, expires, reason]) => ({
    ...what,
    ...(expires === undefined ? {} : { expires_at: expires }),
    ...(reason === undefined ? {} : { reason }),
  }));

export const arbitraryCatalogSketch: fc.Arbitrary<Sketch> = fc.record({
  hosts: fc.array(
    fc.record({
      roles: fc.subarray([...names]),
      at: fc.array(fc.tuple(fc.constantFrom(...networkPool), fc.nat({ max: 5 })), { maxLength: 4 }),
    }),
    { minLength: 3, maxLength: 3 },
  ),
  zones: fc.uniqueArray(
    fc.tuple(
      name,
      fc.subarray(
        [...networkPool, "10.8.0.0/23", "10.8.0.4/32", "fd00:8::/63", "0.0.0.0/0", "::/0"],
        {
          maxLength: 4,
        },
      ),
    ),
    { maxLength: 3, selector: ([key]) => key },
  ),
  services: fc.uniqueArray(
    fc.tuple(
      name,
      fc.array(fc.record({ pick: fc.nat(), bare: fc.boolean(), said }), {
        minLength: 1,
        maxLength: 5,
      }),
      fc.option(fc.uniqueArray(fc.nat({ max: 20 }), { minLength: 1, maxLength: 3 }), { nil: null }),
    ),
    { minLength: 1, maxLength: 3, selector: ([key]) => key },
  ),
});

/** @param groups as `overlay/name` */
export function catalogRows(
  hosts: readonly string[],
  groups: readonly string[],
  sketch: Sketch,
): readonly WrittenRow[] {
  const taken = new Set<string>();
  const hostRows = hosts.map((key, i): WrittenRow => {
    const { roles, at } = sketch.hosts[i] ?? { roles: [], at: [] };
    const addresses = at
      .map(([network, offset]) => addressIn(requireNetwork(network), offset))
      .filter((address) => !taken.has(address) && taken.add(address));
    return { kind: "host", key, body: { addresses, roles: [...roles] } };
  });
  const roles = new Set([
    ...sketch.hosts.slice(0, hosts.length).flatMap((host) => host.roles),
    ...sketch.services.map(([key]) => key),
  ]);
  const zones = new Set(sketch.zones.map(([key]) => key));
  const qualified = [
    ...[...roles].map((role) => `role:${role}`),
    ...hosts.map((host) => `host:${host}`),
    ...[...zones].map((zone) => `zone:${zone}`),
  ];
  const sources = [
    ...qualified,
    ...groups.map((group) => `group:${group}`),
    "any",
    ...networkPool,
    "0.0.0.0/0",
  ];
  const from = ({ pick, bare }: Draft): string => {
    const source = sources[pick % sources.length] ?? "any";
    const plain = source.slice(source.indexOf(":") + 1);
    const fits = qualified.filter((other) => other.slice(other.indexOf(":") + 1) === plain);
    return bare && fits.length === 1 && fits[0] === source ? plain : source;
  };
  const targets = qualified.filter((target) => !target.startsWith("zone:"));
  const to = (picks: readonly number[] | null) =>
    picks === null
      ? {}
      : { to: [...new Set(picks.map((pick) => targets[pick % targets.length] ?? ""))] };
  return [
    ...hostRows,
    ...sketch.zones.map(([key, cidrs]): WrittenRow => ({
      kind: "zone",
      key,
      body: { cidrs: [...cidrs] },
    })),
    ...sketch.services.map(([key, drafts, picks]): WrittenRow => ({
      kind: "service",
      key,
      body: {
        ingress: drafts.map((draft) => ({ from: from(draft), ...draft.said })),
        ...to(picks),
      },
    })),
  ];
}
