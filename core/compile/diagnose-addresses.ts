/**
 * What is wrong with addresses: two owners for one, networks that nothing ever comes from, and networks of an overlay
 * that a host elsewhere has an address in. All findings, and no repair (law 1).
 */
import { contains, requireNetwork, type Network, overlaps } from "#schema/address.ts";
import type { Snapshot } from "#schema/intent.ts";
import { splitMemberKey } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import type { Diagnostic } from "#schema/refusals.ts";
import { parseSource } from "#schema/source.ts";
import { error, warning } from "./finding.ts";
import { isWithin, spansOf } from "./spans.ts";

export function* diagnoseAddresses(snapshot: Snapshot): Generator<Diagnostic> {
  yield* diagnoseDuplicates(snapshot);
  yield* diagnoseOverlayDuplicates(snapshot);
  yield* diagnoseSharedSubnets(snapshot);
  yield* diagnoseStrayHosts(snapshot);
  for (const { text, path } of listDeclaredNetworks(snapshot)) yield* diagnoseNetwork(text, path);
}

/** Who an address belongs to: a member that says so is the host of that name. */
interface Owner {
  readonly name: string;
  /** Its overlay; null for a host. */
  readonly overlay: string | null;
}

/**
 * An address names one machine, whatever kinds of rows it has: a grant to one would otherwise be one to another. The
 * later row is reported, hosts before members.
 */
function* diagnoseDuplicates(snapshot: Snapshot): Generator<Diagnostic> {
  const owners = new Map<string, Owner>();
  for (const { path, owner, addresses } of ownersOf(snapshot))
    for (const [i, address] of addresses.entries()) {
      const first = owners.get(address);
      if (first === undefined) owners.set(address, owner);
      else if (first.name !== owner.name)
        yield error(
          "duplicate_address",
          `${path}/addresses/${i}`,
          `${address} belongs to ${first.name}${first.overlay === owner.overlay ? "" : bothHint}`,
        );
    }
}

const bothHint = "; a member that is a declared machine says so: host: NAME";

function* ownersOf({ hosts, members }: Snapshot) {
  for (const [key, { addresses }] of sortByKey(hosts))
    yield { path: `/hosts/${key}`, owner: { name: `host ${key}`, overlay: null }, addresses };
  for (const [key, { addresses, host }] of sortByKey(members)) {
    const name = host === undefined ? `member ${key}` : `host ${host}`;
    const { overlay } = splitMemberKey(key);
    yield { path: `/members/${key}`, owner: { name, overlay }, addresses };
  }
}

/** Within one overlay an address names one member, whose machine it may be: two groups would be two meanings. */
function* diagnoseOverlayDuplicates({ members }: Snapshot): Generator<Diagnostic> {
  const owners = new Map<string, string>();
  for (const [key, { addresses, host }] of sortByKey(members))
    for (const [i, address] of addresses.entries()) {
      const place = `${splitMemberKey(key).overlay}/${address}`;
      const owner = owners.get(place);
      if (owner === undefined) owners.set(place, key);
      else if (host !== undefined && members.get(owner)?.host === host)
        yield error(
          "duplicate_address",
          `/members/${key}/addresses/${i}`,
          `${address} belongs to member ${owner} of the same overlay`,
        );
    }
}

interface Subnet {
  readonly overlay: string;
  readonly host: string;
  readonly text: string;
  readonly path: string;
  readonly network: Network;
}

const subnetsOf = ({ overlays }: Snapshot): readonly Subnet[] =>
  sortByKey(overlays).flatMap(([overlay, { host, subnets }]) =>
    subnets.map((text, i) => ({
      overlay,
      host,
      text,
      path: `/overlays/${overlay}/subnets/${i}`,
      network: requireNetwork(text),
    })),
  );

/** A packet's source says which overlay of a host it must have come by, so no two of them share an address. */
function* diagnoseSharedSubnets(snapshot: Snapshot): Generator<Diagnostic> {
  for (const subnets of Map.groupBy(subnetsOf(snapshot), ({ host }) => host).values())
    for (const [i, { overlay, network, text, path }] of subnets.entries()) {
      const other = subnets
        .slice(0, i)
        .find((each) => each.overlay !== overlay && overlaps(each.network, network));
      if (other !== undefined)
        yield error(
          "overlapping_subnets",
          path,
          `${text} overlaps ${other.text} of overlay ${other.overlay} on the same host`,
        );
    }
}

/** A gateway takes nothing from an address of its overlay that comes by another way than the tunnel. */
function* diagnoseStrayHosts(snapshot: Snapshot): Generator<Diagnostic> {
  const subnets = subnetsOf(snapshot);
  const spans = spansOf(subnets.map(({ text }) => text));
  const joined = new Set(
    [...snapshot.members].flatMap(([key, { host }]) =>
      host === undefined ? [] : [`${splitMemberKey(key).overlay}/${host}`],
    ),
  );
  for (const [key, { addresses }] of sortByKey(snapshot.hosts))
    for (const [i, address] of addresses.entries()) {
      const network = requireNetwork(address);
      if (!isWithin(network, spans)) continue;
      const around = subnets.find(
        ({ overlay, host, network: outer }) =>
          host !== key && !joined.has(`${overlay}/${key}`) && contains(outer, network),
      );
      if (around !== undefined)
        yield warning(
          "inside_overlay",
          `/hosts/${key}/addresses/${i}`,
          `${address} lies in ${around.text} of overlay ${around.overlay}: ${around.host} takes it for spoofed unless it comes by the tunnel${bothHint}`,
        );
    }
}

interface Declared {
  readonly text: string;
  readonly path: string;
}

/** Every address and network that packets are expected from. */
function* listDeclaredNetworks({
  hosts,
  members,
  overlays,
  services,
  zones,
}: Snapshot): Generator<Declared> {
  const addPaths = (texts: readonly string[], path: string) =>
    texts.map((text, i): Declared => ({ text, path: `${path}/${i}` }));
  for (const [key, { addresses }] of hosts) yield* addPaths(addresses, `/hosts/${key}/addresses`);
  for (const [key, { addresses }] of members)
    yield* addPaths(addresses, `/members/${key}/addresses`);
  for (const [key, { subnets }] of overlays) yield* addPaths(subnets, `/overlays/${key}/subnets`);
  for (const [key, { cidrs }] of zones) yield* addPaths(cidrs, `/zones/${key}/cidrs`);
  for (const [key, { ingress }] of services)
    for (const [i, { from }] of ingress.entries()) {
      const parsed = parseSource(from);
      if (parsed.ok && parsed.source.kind === "network")
        yield { text: parsed.source.cidr, path: `/services/${key}/ingress/${i}/from` };
    }
}

/** Networks that no packet from a network has its source in, and why (RFC 6890; RFC 1112 §4; RFC 4291 §2.7). */
const unusable: readonly (readonly [string, string])[] = [
  ["0.0.0.0/8", "this network, which is nobody's address"],
  ["127.0.0.0/8", "loopback, which never leaves a host"],
  ["224.0.0.0/4", "multicast, which is nobody's source"],
  ["240.0.0.0/4", "reserved or broadcast, which is nobody's source"],
  ["::/128", "the unspecified address"],
  ["::1/128", "loopback, which never leaves a host"],
  ["ff00::/8", "multicast, which is nobody's source"],
];

/** Usable on one link only: the same address may be another machine on another. */
const linkLocal = ["169.254.0.0/16", "fe80::/10"] as const;

function* diagnoseNetwork(text: string, path: string): Generator<Diagnostic> {
  const network = requireNetwork(text);
  if (network.prefix === 0 && path.startsWith("/overlays/"))
    yield error(
      "unusable_address",
      path,
      `${text} is every address, so none would come from elsewhere`,
    );
  const lies = (within: string): boolean => contains(requireNetwork(within), network);
  const [, why] = unusable.find(([each]) => lies(each)) ?? [];
  if (why !== undefined) yield error("unusable_address", path, `${text} is ${why}`);
  else if (linkLocal.some(lies))
    yield warning(
      "link_local_address",
      path,
      `${text} is link-local: it may be another machine on each link`,
    );
}

const sortByKey = <T>(rows: ReadonlyMap<string, T>): readonly (readonly [string, T])[] =>
  [...rows].sort(([a], [b]) => compareText(a, b));
