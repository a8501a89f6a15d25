/**
 * Wrong compilers, and a few wrong readers of what is compiled: one small change each, as somebody might make it by
 * mistake, and the proof that must go red. A change stands for a kind: a set with too few or too many in it, a rule that
 * says more than its row, a host that nobody thought of.
 */

/** What judges a mutant: one test by file and title, or a run of `npm run differential`. */
export type Proof =
  | { readonly kind: "test"; readonly file: string; readonly title: string }
  | { readonly kind: "differential"; readonly packets: number };

export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
  readonly proof: Proof;
}

const oracle: Proof = {
  kind: "test",
  file: "test/property/compile.test.ts",
  title: "compile and simulate together say of every packet what the oracle reads in the intent",
};
const icmp: Proof = {
  kind: "test",
  file: "test/property/compile.test.ts",
  title:
    "every type of ICMP, in every state, coming in and going out, is judged as the oracle reads the intent",
};
const hosts: Proof = {
  kind: "test",
  file: "test/property/affected.test.ts",
  title:
    "a host outside it has the same bytes before and after, and compileHosts gives what compile gives",
};
const registry: Proof = {
  kind: "test",
  file: "test/unit/macros.test.ts",
  title: "is the ports and protocols that the registry gives its service",
};
const differential: Proof = { kind: "differential", packets: 1500 };

/** @param changes name, text and what it becomes */
const of = (
  file: string,
  proof: Proof,
  changes: readonly (readonly [string, string, string])[],
): readonly Mutant[] => changes.map(([name, from, to]) => ({ name, file, from, to, proof }));

export const mutants: readonly Mutant[] = [
  ...of("core/compile/directory.ts", oracle, [
    [
      "a role is its first host",
      "(roles.get(reference.name) ?? [])",
      "(roles.get(reference.name) ?? []).slice(0, 1)",
    ],
    [
      "a host is its first address",
      "snapshot.hosts.get(host)?.addresses ?? []",
      "snapshot.hosts.get(host)?.addresses.slice(0, 1) ?? []",
    ],
    [
      "a zone loses a network",
      "minimalNetworks(snapshot.zones.get(reference.name)?.cidrs ?? [])",
      "minimalNetworks(snapshot.zones.get(reference.name)?.cidrs.slice(1) ?? [])",
    ],
    [
      "a member is in every group",
      "append(groups, `${overlay}/${member.group}`, member.addresses);",
      "for (const group of snapshot.overlays.get(overlay)?.groups ?? []) append(groups, `${overlay}/${group}`, member.addresses);",
    ],
  ]),
  ...of("core/compile/catalog.ts", oracle, [
    [
      "a service is for the role of its name, whatever it says",
      "(body.to ?? [`role:${key}`])",
      "[`role:${key}`]",
    ],
    [
      "a target host is every host",
      "snapshot.hosts.has(name) ? [name] : undefined",
      "[...snapshot.hosts.keys()]",
    ],
  ]),
  ...of("core/compile/grants.ts", oracle, [
    ["a range of ports is its first", "to: port.to }", "to: port.from }"],
    ["a grant is for TCP", "kind: port.proto,", 'kind: "tcp",'],
    ["a macro is its first port", "return macros[macro];", "return macros[macro].slice(0, 1);"],
    ["no grant ends", "  return seconds;", "  return null;"],
    [
      "a network in a grant is everybody",
      'source: reference.kind === "any" ?',
      'source: reference.kind === "any" || reference.kind === "network" ?',
    ],
    ["what no grant lets in comes in", '  verdict: "drop",', '  verdict: "accept",'],
    [
      "a service has one grant",
      "return body.ingress.flatMap(",
      "return body.ingress.slice(0, 1).flatMap(",
    ],
  ]),
  ...of("core/compile/host.ts", oracle, [
    [
      "a host has one overlay",
      "(overlays.get(host) ?? []).map",
      "(overlays.get(host) ?? []).slice(0, 1).map",
    ],
    [
      "a host has one service",
      "(services.get(host) ?? []).flatMap",
      "(services.get(host) ?? []).slice(0, 1).flatMap",
    ],
  ]),
  ...of("core/compile/overlay.ts", oracle, [
    ["one subnet reaches another", '        destination: { kind: "source-subnet" },\n', ""],
    [
      "a group reaches everybody",
      '        destination: { kind: "set", set: groupSet(key, group) },\n',
      "",
    ],
    [
      "everybody reaches a group",
      '        source: { kind: "class", map, class: groupClass(key, group) },\n',
      "",
    ],
    [
      "tunnels lead anywhere",
      'egress(key), { verdict: "drop" }',
      'egress(key), { verdict: "accept" }',
    ],
    [
      "anything leads into tunnels",
      'ingress(key), { verdict: "drop" }',
      'ingress(key), { verdict: "accept" }',
    ],
    [
      "isolation isolates nobody",
      'isolated(key), { verdict: "drop" }',
      'isolated(key), { verdict: "accept" }',
    ],
    [
      "an overlay has one interface",
      "body.interfaces.toSorted(compareText)",
      "body.interfaces.toSorted(compareText).slice(0, 1)",
    ],
    [
      "an overlay has one subnet",
      "sortAddresses(body.subnets)",
      "sortAddresses(body.subnets).slice(0, 1)",
    ],
  ]),
  ...of("core/compile/affected.ts", hosts, [
    [
      "roles count as they are after the commit",
      "const roles = sides.flatMap(",
      "const roles = [after].flatMap(",
    ],
    [
      "roles count as they were before the commit",
      "const roles = sides.flatMap(",
      "const roles = [before].flatMap(",
    ],
    [
      "nobody reads a role",
      '        ...roles.map((name) => setNameOf({ kind: "role", name })),\n',
      "",
    ],
    ["nobody reads a host", '        setNameOf({ kind: "host", name: key }),\n', ""],
    ["nobody reads a zone", 'return [setNameOf({ kind: "zone", name: key })];', "return [];"],
    [
      "groups count as they are after the commit",
      "const groups = sides.flatMap(",
      "const groups = [after].flatMap(",
    ],
    [
      "groups count as they were before the commit",
      "const groups = sides.flatMap(",
      "const groups = [before].flatMap(",
    ],
    [
      "services count as they are after the commit",
      "    for (const side of sides)\n",
      "    for (const side of [after])\n",
    ],
    [
      "services count as they were before the commit",
      "    for (const side of sides)\n",
      "    for (const side of [before])\n",
    ],
    ["one source is read", "entry.sources.some(", "entry.sources.slice(0, 1).some("],
    [
      "a host's own row is of no host",
      '    case "host":\n      return [key];',
      '    case "host":\n      return [];',
    ],
  ]),
  ...of("schema/macros.ts", registry, [
    ["a port beside the right one", "snmp: [udp(161)]", "snmp: [udp(162)]"],
    ["the other protocol", "ntp: [udp(123)]", "ntp: [tcp(123)]"],
    ["one protocol too many", "imaps: [tcp(993)]", "imaps: [tcp(993), udp(993)]"],
    ["a range that is too wide", "udp(60_000, 61_000)", "udp(60_000, 61_001)"],
  ]),
  ...of("schema/address.ts", differential, [
    [
      "sets end after 500 elements",
      ".map(({ item }) => item);",
      ".map(({ item }) => item).slice(0, 500);",
    ],
  ]),
  ...of("core/compile/cover.ts", differential, [
    [
      "networks end after 500",
      "networksOf(spansOf(texts));",
      "networksOf(spansOf(texts)).slice(0, 500);",
    ],
  ]),
  // A kernel passes an error about a flow as an answer, so that no packet of the differential run shows this.
  ...of("schema/always.ts", icmp, [
    ["no packet is too big", '  { name: "packet-too-big", type: 2 },\n', ""],
  ]),
  ...of("schema/always.ts", differential, [
    [
      "answers are judged as if they were new",
      'states: ["established", "related"],',
      'states: ["related"],',
    ],
    [
      "what conntrack can make nothing of goes on to the rules",
      'states: ["invalid"]',
      'states: ["related"]',
    ],
    [
      "everybody asks for timestamps",
      '  { name: "echo-request", type: 8 },\n',
      '  { name: "echo-request", type: 8 },\n  { name: "timestamp-request", type: 13 },\n',
    ],
    [
      "a narrowed host begins what it likes",
      '    { kind: "narrowing", verdict: "drop" },\n  ],',
      "  ],",
    ],
  ]),
  ...of("core/simulate/prelude.ts", differential, [
    [
      "a flow of the guard is its first port",
      "port <= (flow.last_port ?? flow.port)",
      "port <= flow.port",
    ],
  ]),
  ...of("core/simulate/spoofed.ts", differential, [
    [
      "an address comes by any interface",
      "return own === undefined\n",
      "return own === undefined || own.subnets.length > 0\n",
    ],
  ]),
  ...of("core/render/nft/spoofed.ts", differential, [
    [
      "the kernel takes an overlay's address from anywhere",
      "      drop(elsewhere, inSet(key, allSet(family))),\n",
      "",
    ],
  ]),
];
