/** Who reaches whom in the example fleet, written for the tests from the catalog's text, apart from the lab's own list. */

const to = (target: string, ...sources: readonly string[]): readonly string[] =>
  sources.map((source) => `${source} > ${target}`);

const inside = ["gw", "proxy1", "photos1", "laptop1"] as const;
const hosts = [...inside, "vault1"] as const;
const clients = ["alice", "bob", "carol"] as const;
const without = (list: readonly string[], name: string): readonly string[] =>
  list.filter((other) => other !== name);

/** All that is open as declared. */
export const declared: ReadonlySet<string> = new Set([
  ...hosts.flatMap((host) => to(`${host} ping`, ...without(hosts, host), "stranger")),
  ...to("gw ping", ...clients),
  ...to("gw udp/51820", ...without(hosts, "gw"), ...clients, "stranger"),
  ...to("gw tcp/53", "alice", "bob"),
  ...to("gw udp/53", "alice", "bob"),
  ...to("proxy1 tcp/443", "gw", "photos1", "laptop1"),
  ...to("proxy1 tcp/8443", "gw", "photos1", "laptop1", "vault1", "stranger"),
  ...to("photos1 tcp/2342", "proxy1"),
  ...to("photos1 tcp/22", "vault1"),
  ...to("vault1 tcp/8000", "photos1"),
  ...clients.flatMap((client) => to(`${client} everything`, "gw")),
  ...to("alice everything", "bob"),
  ...to("bob everything", "alice"),
  ...to("stranger everything", ...hosts),
]);

/** What carol gains in group dev. */
export const carolGains: ReadonlySet<string> = new Set([
  ...to("gw tcp/53", "carol"),
  ...to("gw udp/53", "carol"),
  ...to("carol everything", "alice", "bob"),
  ...to("alice everything", "carol"),
  ...to("bob everything", "carol"),
]);
