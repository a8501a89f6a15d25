/** A guard that narrows output: what may stand in it, what it becomes, and that its host still recovers by itself. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { closedRules } from "#agent/flows/flows.ts";
import { parseGuard } from "#agent/guard/index.ts";
import { findUnreachable } from "#agent/guard/reach.ts";
import { emptyInventory, renderClosed, transaction } from "#core/render/index.ts";
import { type Packet, prepare, simulate } from "#core/simulate/index.ts";
import { arbitraryGuard, arbitraryPacket } from "#test/support/arbitraries.ts";
import { arbitraryRuleset } from "#test/support/arbitrary-ruleset.ts";

const good =
  "management:\n  interfaces: [wg0]\n  allow:\n    - { cidr: 10.0.0.0/8, proto: tcp, port: 22 }\n";
const narrowed = (...flows: readonly string[]): string =>
  `${good}output: { allow: [${flows.join(", ")}] }\n`;
const https = "{ cidr: 192.0.2.0/24, proto: tcp, port: 443 }";
const dns = "{ cidr: 192.0.2.53/32, proto: udp, port: 53 }";

it("leaves digest and program of a guard without it as they were", () => {
  const { guard, sha256 } = parseGuard(good);
  expect(sha256).toBe("a5fe3dea2990acc3ba9b0db73843c7d3542fdb806050662490d71d3ff107b575");
  expect(renderClosed(guard).chains.map(({ name }) => name)).toEqual(["input", "forward"]);
});

it("is a chain that ends in a drop, behind what always passes", () => {
  const { guard } = parseGuard(
    narrowed(https, '{ cidr: "::/0", proto: udp, port: 53, last_port: 54 }'),
  );
  const text = transaction(renderClosed(guard), emptyInventory);
  expect(text.slice(text.indexOf("\tchain output"))).toBe(
    [
      "\tchain output {",
      "\t\ttype filter hook output priority filter - 10; policy accept;",
      '\t\toif "lo" accept',
      '\t\toifname "wg0" accept',
      "\t\tip daddr 10.0.0.0/8 tcp sport 22 accept",
      "\t\tct state established,related accept",
      "\t\ticmp type { destination-unreachable, echo-request, time-exceeded, parameter-problem } accept",
      "\t\ticmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, " +
        "echo-request, mld-listener-query, mld-listener-report, mld-listener-done, nd-router-solicit, " +
        "nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept",
      "\t\tip protocol igmp ip daddr 224.0.0.0/4 ip ttl 1 accept",
      "\t\tmeta nfproto ipv4 udp sport 68 udp dport 67 accept",
      "\t\tip6 saddr fe80::/10 udp sport 546 udp dport 547 accept",
      "\t\tip daddr 192.0.2.0/24 tcp dport 443 goto host_out",
      "\t\tip6 daddr ::/0 udp dport 53-54 goto host_out",
      "\t\tdrop",
      "\t}",
      "\tchain host_out {",
      "\t\taccept",
      "\t}",
      "}",
      "",
    ].join("\n"),
  );
});

describe("refuses", () => {
  it.each([
    ["an empty list", "output: { allow: [] }\n", "/output/allow"],
    ["no list", "output: {}\n", "/output/allow"],
    [
      "a name in place of a network",
      narrowed(https.replace("192.0.2.0/24", "a.example")),
      "/output/allow/0",
    ],
    ["another protocol", narrowed(https.replace("tcp", "any")), "/output/allow/0/proto"],
    [
      "a range that ends before it begins",
      narrowed(`${https.slice(0, -1)}, last_port: 442 }`),
      "last_port",
    ],
    ["an unknown field", `${good}output: { allow: [${https}], open: true }\n`, "/output"],
  ])("%s", (_, text, where) => {
    expect(() => parseGuard(text.startsWith("output") ? good + text : text)).toThrow(
      expect.objectContaining({
        code: "guard_invalid",
        message: expect.stringContaining(where) as string,
      }),
    );
  });

  it.each([
    ["a control plane elsewhere", "https://198.51.100.7", "expected tcp 443 to 198.51.100.7"],
    ["its other port", "https://192.0.2.7:8443", "expected tcp 8443"],
    [
      "a control plane at the other family",
      "https://[2001:db8::7]",
      "expected tcp 443 to 2001:db8::7",
    ],
    ["a name that it cannot ask for", "https://control.example", "expected DNS"],
    [
      "a name at another port",
      "https://control.example:8443",
      "expected tcp 8443 to control.example",
    ],
  ])("%s", (_, url, why) => {
    expect(() => parseGuard(narrowed(https), url)).toThrow(
      expect.objectContaining({
        code: "guard_invalid",
        message: expect.stringContaining(why) as string,
      }),
    );
  });

  it("a probe that it does not let out", () => {
    const probing = "confirm: { probes: [{ kind: tcp, host: 203.0.113.1, port: 25 }] }\n";
    expect(() => parseGuard(narrowed(https) + probing)).toThrow(
      "expected tcp 25 to 203.0.113.1, a probe",
    );
    expect(parseGuard(good + probing).guard.output).toBeUndefined();
  });
});

it.each([
  ["an address that it names", "https://192.0.2.7", [https]],
  ["a name, with DNS", "https://control.example", [https, dns]],
  [
    "a name, with DNS over TLS",
    "https://control.example",
    [https, dns.replace("udp", "tcp").replace("port: 53", "port: 853")],
  ],
  ["this host itself", "http://127.0.0.1:8080", [dns]],
  ["this host itself, by IPv6", "http://[::1]:8080", [dns]],
])("takes a control plane at %s", (_, url, flows) => {
  expect(parseGuard(narrowed(...flows), url).guard.output?.allow).toHaveLength(flows.length);
});

it("lets a Proxmox node begin towards its cluster what it takes from it", () => {
  const presets = "presets: [{ name: proxmox-node, cluster: [10.9.0.0/24] }]\n";
  const { guard } = parseGuard(narrowed(https) + presets);
  expect(guard.output?.allow.slice(1)).toEqual(guard.management.allow.slice(1));
  expect(parseGuard(good + presets).guard.output).toBeUndefined();
});

describe("whatever a guard and a ruleset say", () => {
  const controlPlane = fc.record({
    destination: fc.constantFrom("10.8.0.1", "198.51.100.7", "fd00:8::1", "2001:db8::7"),
    port: fc.constantFrom(22, 53, 443),
  });

  const flow = fc.record({
    cidr: fc.constantFrom("10.8.0.0/16", "0.0.0.0/0", "fd00:8::/64", "::/0"),
    proto: fc.constantFrom("tcp" as const, "udp" as const),
    port: fc.constantFrom(22, 53, 443),
  });

  it("a closed host begins to talk to every control plane that its guard was loaded for", () => {
    let loaded = 0;
    fc.assert(
      fc.property(arbitraryGuard, flow, controlPlane, (before, added, { destination, port }) => {
        const guard = { ...before, output: { allow: [...(before.output?.allow ?? []), added] } };
        const v6 = destination.includes(":");
        const url = `https://${v6 ? `[${destination}]` : destination}:${port}`;
        if (findUnreachable(guard, url) !== undefined) return;
        loaded += 1;
        const { ruleset } = closedRules(guard);
        const source = v6 ? "2001:db8::1" : "192.0.2.1";
        const ends = { source, destination, protocol: "tcp", port, state: "new" } as const;
        expect(simulate(ruleset, { ...ends, hook: "output", oif: "eth0" }, guard).verdict).toBe(
          "accept",
        );
      }),
      { numRuns: 2000 },
    );
    expect(loaded).toBeGreaterThan(50);
  });

  it("no ruleset opens what a narrowed guard keeps shut, and the guard opens nothing that a ruleset refuses", () => {
    const outgoing = arbitraryPacket.filter(({ hook }) => hook === "output");
    fc.assert(
      fc.property(arbitraryRuleset, arbitraryGuard, outgoing, (ruleset, guard, packet: Packet) => {
        const passes = (judging: typeof guard, rules = ruleset): boolean =>
          prepare(rules, judging)(packet).verdict === "accept";
        const alone = passes(guard, closedRules(guard).ruleset);
        const { output: _, ...open } = guard;
        expect(passes(guard)).toBe(alone && passes(open));
      }),
      { numRuns: 1000 },
    );
  });
});
