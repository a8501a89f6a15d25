import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile } from "#core/compile/index.ts";
import { encodeName } from "#schema/names.ts";
import { compareNetworks, requireNetwork } from "#schema/address.ts";
import { elementCount } from "#core/simulate/difference.ts";
import { decodeBundle, encodeBundle } from "#schema/bundle.ts";
import { formatCanonical } from "#schema/canonical.ts";
import type { Snapshot } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import type { Packet } from "#core/simulate/index.ts";
import { prepare } from "#core/simulate/index.ts";
import {
  arbitraryArrival,
  arbitraryGuard,
  arbitraryIntent,
  arbitraryPacket,
} from "../support/arbitraries.ts";
import type { WrittenRow } from "../support/intent.ts";
import { snapshotOf } from "../support/intent.ts";
import { opinionOf } from "../differential/oracle.ts";

function rulesetsOf(snapshot: Snapshot): ReadonlyMap<string, Ruleset> {
  const compiled = compile(snapshot);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  return compiled.rulesets;
}
const bytesOf = (snapshot: Snapshot): string => formatCanonical([...rulesetsOf(snapshot)]);

/** Every list whose order means nothing, the other way round. */
function reversedLists(row: WrittenRow): WrittenRow {
  switch (row.kind) {
    case "host": {
      const { addresses = [], roles = [] } = row.body;
      return { ...row, body: { addresses: addresses.toReversed(), roles: roles.toReversed() } };
    }
    case "member":
      return { ...row, body: { ...row.body, addresses: row.body.addresses?.toReversed() ?? [] } };
    case "zone":
      return { ...row, body: { cidrs: row.body.cidrs?.toReversed() ?? [] } };
    case "service": {
      const { ingress, to } = row.body;
      const turned = {
        ingress: ingress.toReversed(),
        ...(to === undefined ? {} : { to: to.toReversed() }),
      };
      return { ...row, body: turned };
    }
    case "overlay": {
      const { interfaces, subnets, groups = [], ...rest } = row.body;
      const body = {
        ...rest,
        interfaces: interfaces.toReversed(),
        subnets: subnets.toReversed(),
        groups: groups.toReversed(),
      };
      return { ...row, body };
    }
  }
}

/** A ping between any two of an overlay's members and some strangers, through its interfaces. */
function peerPackets(intent: Snapshot): readonly Packet[] {
  return [...intent.overlays].flatMap(([key, { interfaces, subnets }]) => {
    const members = [...intent.members].filter(([member]) => member.startsWith(`${key}/`));
    const strangers = subnets.map((subnet) => subnet.slice(0, subnet.indexOf("/")));
    const ends = [...members.flatMap(([, member]) => member.addresses), ...strangers];
    return ends.flatMap((source) =>
      ends
        .filter((destination) => destination.includes(":") === source.includes(":"))
        .map((destination): Packet => ({
          hook: "forward",
          iif: interfaces[0] ?? "",
          oif: interfaces.at(-1) ?? "",
          source,
          destination,
          protocol: "icmp",
          icmpType: 8,
          state: "new",
        })),
    );
  });
}

describe("compile", () => {
  test("no order of rows, and no order within their lists, changes a byte", () => {
    const shuffled = arbitraryIntent.chain((rows) =>
      fc.record({
        rows: fc.constant(rows),
        other: fc.shuffledSubarray([...rows], { minLength: rows.length }),
      }),
    );
    fc.assert(
      fc.property(shuffled, ({ rows, other }) => {
        expect(bytesOf(snapshotOf(other.map(reversedLists)))).toBe(bytesOf(snapshotOf(rows)));
      }),
      { numRuns: 200 },
    );
  });

  test("compile and simulate together say of every packet what the oracle reads in the intent", () => {
    const seen = { accept: 0, drop: 0, spoofed: 0, peers: 0, out: 0 };
    const packets = fc.tuple(
      fc.array(arbitraryPacket, { maxLength: 30 }),
      fc.array(arbitraryArrival, { minLength: 30, maxLength: 40 }),
    );
    fc.assert(
      fc.property(arbitraryIntent, packets, arbitraryGuard, (rows, [some, arrivals], guard) => {
        const snapshot = snapshotOf(rows);
        for (const [host, ruleset] of rulesetsOf(snapshot)) {
          const judge = prepare(ruleset, guard);
          for (const packet of [...some, ...arrivals, ...peerPackets(snapshot)]) {
            const { verdict, row, tally } = judge(packet);
            const opinion = opinionOf(rows, host, packet, guard);
            expect({ verdict, tally }).toEqual({ verdict: opinion.verdict, tally: opinion.tally });
            if (opinion.rows.length === 0) expect(row).toBe(null);
            else
              expect(
                opinion.rows.some((each) => row?.startsWith(each)),
                `${row}`,
              ).toBe(true);
            if (packet.hook === "output") seen.out += 1;
            else if (tally === "c_spoofed") seen.spoofed += 1;
            else if (tally !== null && verdict === "accept") seen.peers += 1;
            else if (row !== null) seen[verdict === "accept" ? "accept" : "drop"] += 1;
          }
        }
      }),
      { numRuns: 200 },
    );
    expect(Math.min(...Object.values(seen)), "packets of each kind").toBeGreaterThan(100);
  });

  test("every type of ICMP, in every state, coming in and going out, is judged as the oracle reads the intent", () => {
    const rows: readonly WrittenRow[] = [{ kind: "host", key: "gw", body: {} }];
    const ruleset = rulesetsOf(snapshotOf(rows)).get("gw");
    if (ruleset === undefined) throw new Error("a declared host has a ruleset");
    const management = { interfaces: [], allow: [] };
    const output = { allow: [{ cidr: "192.0.2.0/24", proto: "tcp" as const, port: 443 }] };
    const ends = [
      ["10.0.0.1", "192.0.2.1"],
      ["2001:db8::1", "2001:db8::2"],
      ["fe80::1", "fe80::2"],
    ] as const;
    const states = ["new", "established", "related", "invalid", "untracked"] as const;
    const ways = [
      { hook: "input", iif: "eth0" },
      { hook: "output", oif: "eth0" },
    ] as const;
    for (const guard of [{ management }, { management, output }]) {
      const judge = prepare(ruleset, guard);
      const packets = ends.flatMap(([source, destination]) =>
        states.flatMap((state) =>
          ways.flatMap((way) =>
            Array.from({ length: 256 }, (_, icmpType): Packet => ({
              ...way,
              source,
              destination,
              state,
              protocol: "icmp",
              icmpType,
            })),
          ),
        ),
      );
      const wrong = packets.filter(
        (packet) => judge(packet).verdict !== opinionOf(rows, "gw", packet, guard).verdict,
      );
      expect(wrong).toEqual([]);
    }
  });

  test("every ruleset satisfies its type, survives the wire, and has its names and addresses sorted", () => {
    const sorted = (texts: readonly string[]) =>
      texts.toSorted((a, b) => compareNetworks(requireNetwork(a), requireNetwork(b)));
    fc.assert(
      fc.property(arbitraryIntent, (rows) => {
        for (const ruleset of rulesetsOf(snapshotOf(rows)).values()) {
          expect(decodeBundle(encodeBundle(ruleset))).toEqual({ ok: true, format: 1, ruleset });
          for (const names of [ruleset.sets, ruleset.classes].map((list) =>
            list.map(({ name }) => name),
          ))
            expect(names).toEqual(names.toSorted(compareText));
          for (const { elements } of ruleset.sets) expect(elements).toEqual(sorted(elements));
          for (const map of ruleset.classes)
            expect(map.classes.map(({ name }) => name)).toEqual(
              map.classes.map(({ name }) => name).toSorted(compareText),
            );
        }
      }),
      { numRuns: 200 },
    );
  });

  test("adding a member changes no rule, on any host", () => {
    fc.assert(
      fc.property(arbitraryIntent, fc.nat(), (rows, pick) => {
        const members = rows.filter((row) => row.kind === "member");
        const gone = members[pick % Math.max(1, members.length)];
        const [before, after] = [rows.filter((row) => row !== gone), rows].map((r) =>
          rulesetsOf(snapshotOf(r)),
        );
        for (const [host, ruleset] of after ?? [])
          expect(before?.get(host)?.rules).toEqual(ruleset.rules);
      }),
    );
  });

  test("one group of 1,000 members costs at most 3,000 elements and no rule of its own", () => {
    const members = Array.from({ length: 1000 }, (_, i) => ({
      kind: "member" as const,
      key: `office/m${i}`,
      body: { group: "dev", addresses: [`10.8.${Math.floor(i / 250)}.${(i % 250) + 1}`] },
    }));
    const rows: WrittenRow[] = [
      { kind: "host", key: "gw", body: {} },
      {
        kind: "overlay",
        key: "office",
        body: {
          host: "gw",
          interfaces: ["tun0"],
          subnets: ["10.8.0.0/16"],
          policy: "group-based",
          groups: ["dev"],
        },
      },
      ...members,
    ];
    const ruleset = rulesetsOf(snapshotOf(rows)).get("gw");
    expect(ruleset === undefined ? 0 : elementCount(ruleset)).toBe(2000);
    expect(ruleset?.rules.length).toBe(5);
  });
});

describe("encodeName", () => {
  const decode = (name: string): string =>
    name.replace(/__|_([0-9a-f]{2})/g, (_, hex?: string) =>
      hex === undefined ? "_" : String.fromCharCode(Number.parseInt(hex, 16)),
    );

  test("is injective: the name alone gives the key back", () => {
    const tricky = fc.string({
      unit: fc.constantFrom("_", "2", "d", "f", "-", ".", "/", "@", "D", "5"),
      maxLength: 12,
    });
    fc.assert(
      fc.property(fc.oneof(tricky, fc.stringMatching(/^[A-Za-z0-9._@+/#-]{0,20}$/)), (text) => {
        expect(decode(encodeName(text))).toBe(text);
        expect(encodeName(text)).toMatch(/^[A-Za-z0-9_]*$/);
      }),
      { numRuns: 2000 },
    );
  });
});
