import { describe, expect, test } from "vitest";
import { snapshotOf } from "../support/intent.ts";
import { parseVerdicts } from "../support/verdicts.ts";

const overlay = {
  host: "gw",
  interfaces: ["tun0"],
  subnets: ["10.8.0.0/24"],
  policy: "full-isolation" as const,
};
const intent = snapshotOf([
  { kind: "host", key: "gw", body: {} },
  { kind: "host", key: "bo-host", body: { addresses: ["10.0.0.9"] } },
  { kind: "overlay", key: "a", body: { ...overlay, groups: ["dev"] } },
  { kind: "overlay", key: "b", body: { ...overlay, interfaces: ["tun1"], groups: ["dev"] } },
  { kind: "member", key: "a/al@x", body: { group: "dev", addresses: ["10.8.0.2", "10.8.0.3"] } },
  { kind: "member", key: "a/bo", body: { group: "dev", addresses: ["10.8.0.4"] } },
  { kind: "member", key: "b/bo", body: { group: "dev", addresses: ["10.8.0.5"] } },
]);
const only = (line: string) => parseVerdicts(line, intent)[0];

describe("parseVerdicts", () => {
  test("reads members, indices, interfaces, payload, state, row and tally", () => {
    expect(
      only(
        "gw al@x[1]@tun0 -> b/bo@tun1 udp/67>68+established drop overlays/a#egress c_egress # why",
      ),
    ).toEqual({
      text: "gw al@x[1]@tun0 -> b/bo@tun1 udp/67>68+established drop overlays/a#egress c_egress",
      number: 1,
      host: "gw",
      packet: {
        hook: "forward",
        iif: "tun0",
        oif: "tun1",
        source: "10.8.0.3",
        destination: "10.8.0.5",
        protocol: "udp",
        sourcePort: 67,
        port: 68,
        state: "established",
      },
      verdict: "drop",
      row: "overlays/a#egress",
      tally: "c_egress",
    });
  });

  test("the hook follows from which ends carry an interface, and ping from the family", () => {
    expect(only("gw 10.0.0.1@eth0 -> 10.0.0.2 ping accept - -")?.packet).toMatchObject({
      hook: "input",
      icmpType: 8,
    });
    expect(only("gw fd00::1 -> fd00::2@eth0 ping accept - -")?.packet).toMatchObject({
      hook: "output",
      icmpType: 128,
    });
  });

  test("reads a time after the payload, and a host as an end", () => {
    expect(
      only("gw bo-host@eth0 -> 10.0.0.2 tcp/22+new@2026-12-31T23:59:59Z drop - -")?.packet,
    ).toMatchObject({
      source: "10.0.0.9",
      state: "new",
      at: 1_798_761_599,
    });
  });

  test("skips comments and empty lines, and keeps line numbers", () => {
    expect(
      parseVerdicts("# a\n\n  # b\ngw 10.0.0.1@e -> 10.0.0.2 other accept - -\n", intent)[0]
        ?.number,
    ).toBe(4);
  });

  test.each([
    ["a host nobody declared", "web 10.0.0.1@e -> 10.0.0.2 ping accept - -"],
    ["a member nobody declared", "gw eve@tun0 -> 10.0.0.2 ping accept - -"],
    ["a member's address that it lacks", "gw al@x[2]@tun0 -> 10.0.0.2 ping accept - -"],
    ["a name that fits two members", "gw bo@tun0 -> 10.0.0.2 ping accept - -"],
    ["no interface at all", "gw 10.0.0.1 -> 10.0.0.2 ping accept - -"],
    ["an unknown verdict", "gw 10.0.0.1@e -> 10.0.0.2 ping allow - -"],
    ["an unknown payload", "gw 10.0.0.1@e -> 10.0.0.2 sctp/5 accept - -"],
    ["an unknown state", "gw 10.0.0.1@e -> 10.0.0.2 ping+old accept - -"],
    ["a time that is none", "gw 10.0.0.1@e -> 10.0.0.2 ping@2026-02-30T00:00:00Z accept - -"],
    ["an unknown tally", "gw 10.0.0.1@e -> 10.0.0.2 ping accept - c_other"],
    ["a missing column", "gw 10.0.0.1@e -> 10.0.0.2 ping accept -"],
  ])("refuses %s, with the line's number", (_, line) => {
    expect(() => parseVerdicts(`\n${line}`, intent)).toThrow(/^verdict line 2: /);
  });
});
