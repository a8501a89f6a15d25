/**
 * The naive reading of intent: what the words say, row by row and member by member, with no compiler in sight. It shares
 * no code with the compiler but addresses, so that a mistake has to be made twice to go unseen.
 */
import { contains, knownNetwork } from "#schema/address.ts";
import type { Ingress, Snapshot } from "#schema/intent.ts";
import type { Packet } from "#simulate/index.ts";

/** Verdict and tally of a forwarded packet (DESIGN §12), as one word each. */
export function readForward(
  intent: Snapshot,
  host: string,
  packet: Extract<Packet, { readonly hook: "forward" }>,
): string {
  const mine = [...intent.overlays].filter(([, overlay]) => overlay.host === host);
  const from = mine.find(([, overlay]) => overlay.interfaces.includes(packet.iif));
  const to = mine.find(([, overlay]) => overlay.interfaces.includes(packet.oif));
  if (from === undefined && to === undefined) return "accept -";
  if (isSpoofed(intent, host, packet.iif, packet.source)) return "drop c_spoofed";
  if (from === undefined) return "drop c_ingress";
  if (to === undefined || to[0] !== from[0]) return "drop c_egress";
  const [key, overlay] = from;
  const together = overlay.subnets.some((s) => isIn(s, packet.source) && isIn(s, packet.destination));
  const groupsOf = (address: string) =>
    [...intent.members]
      .filter(([member, body]) => member.startsWith(`${key}/`) && body.addresses.includes(address))
      .map(([, body]) => body.group);
  const friends = groupsOf(packet.source).some((group) => groupsOf(packet.destination).includes(group));
  const passes = { "same-subnet": together, "group-based": friends, "full-isolation": false }[overlay.policy];
  return `${passes ? "accept" : "drop"} ${together ? "c_same_subnet" : "c_cross_subnet"}`;
}

/** Whether a source came to a host by another way than its own: into an overlay's address from elsewhere, or out of its tunnel. */
export function isSpoofed(intent: Snapshot, host: string, iif: string, source: string): boolean {
  if (["0.0.0.0/32", "169.254.0.0/16", "::/128", "fe80::/10"].some((each) => isIn(each, source)))
    return false;
  const mine = [...intent.overlays.values()].filter((overlay) => overlay.host === host);
  const by = mine.find(({ interfaces }) => interfaces.includes(iif));
  const within = (subnets: readonly string[]) => subnets.some((subnet) => isIn(subnet, source));
  return by === undefined ? mine.some(({ subnets }) => within(subnets)) : !within(by.subnets);
}

/** Whether some service lets a new TCP or UDP packet into a host. */
export function isGranted(
  intent: Snapshot,
  host: string,
  packet: Packet & { readonly protocol: "tcp" | "udp" },
): boolean {
  return [...intent.services].some(([key, { ingress, to = [`role:${key}`] }]) => {
    const fills = intent.hosts.get(host)?.roles.map((role) => `role:${role}`) ?? [];
    const isFor = to.some((target) => target === `host:${host}` || fills.includes(target));
    return (
      isFor && ingress.some((grant) => says(grant, packet) && comesFrom(intent, grant.from, packet.source))
    );
  });
}

const isIn = (network: string, address: string): boolean =>
  contains(knownNetwork(network), knownNetwork(address));

const macroPorts: Readonly<Record<string, readonly string[]>> = {
  dns: ["tcp/53", "udp/53"],
  "https-quic": ["tcp/443", "udp/443"],
  ssh: ["tcp/22"],
};

function says(grant: Ingress, packet: Packet & { readonly protocol: "tcp" | "udp" }): boolean {
  const { port, proto, macro, expires_at } = grant;
  if (expires_at !== undefined && packet.at !== undefined && packet.at * 1000 >= Date.parse(expires_at))
    return false;
  if (macro !== undefined) return macroPorts[macro]?.includes(`${packet.protocol}/${packet.port}`) === true;
  const [low = 0, high = low] = String(port).split("-").map(Number);
  return proto === packet.protocol && low <= packet.port && packet.port <= high;
}

function comesFrom(intent: Snapshot, from: string, source: string): boolean {
  if (from === "any") return true;
  if (/^[0-9a-f:.]+\/\d+$/.test(from)) return isIn(from, source);
  const [, kind = "", name = from] = /^(zone|role|host|group):(.*)$/.exec(from) ?? [];
  const zone = intent.zones.get(name)?.cidrs.some((cidr) => isIn(cidr, source)) === true;
  const host = intent.hosts.get(name)?.addresses.includes(source) === true;
  const role = [...intent.hosts.values()].some((h) => h.roles.includes(name) && h.addresses.includes(source));
  const group = [...intent.members].some(
    ([key, member]) => `${key.split("/")[0]}/${member.group}` === name && member.addresses.includes(source),
  );
  return { zone, host, role, group, "": zone || host || role }[kind] === true;
}
