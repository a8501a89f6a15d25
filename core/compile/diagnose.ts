/**
 * Everything that is wrong with intent as a whole: names that resolve to nothing, addresses and interfaces that two
 * rows claim. Reports all findings, never the first one only, and never repairs one (law 1).
 *
 * Relies on bodies having passed schema/intent.ts. Of two rows that collide the later one, by key, is reported.
 */
import { contains, requireNetwork, overlaps } from "#schema/address.ts";
import type { Diagnostic } from "#schema/refusals.ts";
import type { Member, Overlay, Snapshot } from "#schema/intent.ts";
import { splitMemberKey } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import type { Entry } from "./catalog.ts";
import { diagnoseAddresses } from "./diagnose-addresses.ts";
import { diagnoseCatalog } from "./diagnose-catalog.ts";
import { diagnoseNames } from "./diagnose-names.ts";
import type { Directory } from "./directory.ts";
import { error, warning } from "./finding.ts";
import { fits, overlayRows } from "./names.ts";

/** All findings, sorted by path, then code. */
export function diagnose(directory: Directory, catalog: readonly Entry[]): readonly Diagnostic[] {
  const { snapshot } = directory;
  const found = [
    ...diagnoseOverlays(snapshot),
    ...diagnoseInterfaces(snapshot),
    ...diagnoseMembers(snapshot),
    ...diagnoseAddresses(snapshot),
    ...diagnoseNames(directory),
    ...emptyGroups(snapshot),
    ...diagnoseCatalog(directory, catalog),
  ];
  return found.sort((a, b) => compareText(a.path, b.path) || compareText(a.code, b.code));
}

function* diagnoseOverlays(snapshot: Snapshot): Generator<Diagnostic> {
  for (const [key, overlay] of snapshot.overlays) {
    const path = `/overlays/${key}`;
    if (!snapshot.hosts.has(overlay.host))
      yield error(
        "unknown_host",
        `${path}/host`,
        `expected a declared host, found ${overlay.host}`,
      );
    yield* diagnoseSubnets(path, overlay);
    yield* diagnoseNameLengths(path, key, overlay);
  }
}

function* diagnoseSubnets(path: string, overlay: Overlay): Generator<Diagnostic> {
  const subnets = overlay.subnets.map((text) => ({ text, network: requireNetwork(text) }));
  for (const [i, subnet] of subnets.entries()) {
    const earlier = subnets.slice(0, i).find((other) => overlaps(other.network, subnet.network));
    if (earlier !== undefined)
      yield error(
        "overlapping_subnets",
        `${path}/subnets/${i}`,
        `${subnet.text} overlaps ${earlier.text} of the same overlay`,
      );
  }
}

/** `same-subnet` is the longest of an overlay's own row names, so one check covers them whatever the policy. */
function* diagnoseNameLengths(path: string, key: string, overlay: Overlay): Generator<Diagnostic> {
  const reason =
    "as a counter's name is too long: each character but letters and digits counts two or three";
  if (!fits(overlayRows.sameSubnet(key))) yield error("name_too_long", path, `${key} ${reason}`);
  for (const [i, group] of overlay.groups.entries())
    if (!fits(overlayRows.group(key, group)))
      yield error("name_too_long", `${path}/groups/${i}`, `${key} with ${group} ${reason}`);
}

/**
 * A packet belongs to one overlay at most, so an interface of a host does too. Loopback is no tunnel; a device that is
 * named as network cards are may be the way to everything else, whose packets would be taken for spoofed.
 */
function* diagnoseInterfaces(snapshot: Snapshot): Generator<Diagnostic> {
  const owners = new Map<string, string>();
  for (const [key, overlay] of sortByKey(snapshot.overlays))
    for (const [i, name] of overlay.interfaces.entries()) {
      const path = `/overlays/${key}/interfaces/${i}`;
      if (name === "lo")
        yield error(
          "unusable_interface",
          path,
          "lo is no tunnel: nothing comes by it from elsewhere",
        );
      else if (cardName.test(name))
        yield warning(
          "uplink_interface",
          path,
          `${name} is named as a network card is: on the way to everything else, ${overlay.host} would take all other senders for spoofed`,
        );
      const place = `${overlay.host}/${name}`;
      const owner = owners.get(place);
      if (owner === undefined) owners.set(place, key);
      else
        yield error(
          "duplicate_interface",
          path,
          `${name} on ${overlay.host} belongs to overlay ${owner}`,
        );
    }
}

/** As the kernel, systemd.net-naming-scheme(7) and Proxmox VE name cards, their bonds and their bridges. */
const cardName = /^(eth|wlan|bond|team|vmbr)\d|^(en|wl|ww)[bcdiopsvxaPX]\w+$/;

function* diagnoseMembers(snapshot: Snapshot): Generator<Diagnostic> {
  const overlays = new Map(
    [...snapshot.overlays].map(([key, body]) => [key, membership(key, body)]),
  );
  for (const [key, member] of snapshot.members) {
    if (member.host !== undefined && !snapshot.hosts.has(member.host))
      yield error(
        "unknown_host",
        `/members/${key}/host`,
        `expected a declared host, found ${member.host}`,
      );
    const name = splitMemberKey(key).overlay;
    const overlay = overlays.get(name);
    if (overlay === undefined)
      yield error(
        "unknown_overlay",
        `/members/${key}`,
        `expected a declared overlay, found ${name}`,
      );
    else yield* joinFindings(`/members/${key}`, overlay, member);
  }
}

/** What a member must fit, read once per overlay. */
const membership = (key: string, { policy, groups, subnets }: Overlay) => ({
  key,
  policy,
  groups: new Set(groups),
  subnets: subnets.map(requireNetwork),
});

function* joinFindings(
  path: string,
  overlay: ReturnType<typeof membership>,
  member: Member,
): Generator<Diagnostic> {
  if (!overlay.groups.has(member.group))
    yield error(
      "unknown_group",
      `${path}/group`,
      `expected a group of overlay ${overlay.key}, found ${member.group}`,
    );
  if (overlay.policy === "group-based" && member.addresses.length === 0)
    yield warning("no_address", `${path}/addresses`, "a member without an address matches nothing");
  for (const [i, address] of member.addresses.entries())
    if (!overlay.subnets.some((subnet) => contains(subnet, requireNetwork(address))))
      yield error(
        "address_outside_overlay",
        `${path}/addresses/${i}`,
        `${address} lies in no subnet of overlay ${overlay.key}`,
      );
}

function* emptyGroups(snapshot: Snapshot): Generator<Diagnostic> {
  const used = new Set(
    [...snapshot.members].map(([key, member]) => `${splitMemberKey(key).overlay}/${member.group}`),
  );
  for (const [key, overlay] of snapshot.overlays)
    for (const [i, group] of overlay.policy === "group-based" ? overlay.groups.entries() : [])
      if (!used.has(`${key}/${group}`))
        yield warning(
          "empty_group",
          `/overlays/${key}/groups/${i}`,
          `${group} has no member and matches nothing`,
        );
}

const sortByKey = <T>(rows: ReadonlyMap<string, T>): readonly (readonly [string, T])[] =>
  [...rows].sort(([a], [b]) => compareText(a, b));
