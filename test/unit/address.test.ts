import { describe, expect, test } from "vitest";
import { formatAddress, networkOf, parseAddress, parseCidr } from "#schema/address.ts";

describe("parseAddress", () => {
  test.each(["10.8.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "fd00:8::2", "2001:db8::1:0:0:1"])(
    "accepts the canonical %s and writes it back",
    (text) => {
      const parsed = parseAddress(text);
      if (!parsed.ok) throw new Error(parsed.expected);
      expect(formatAddress(parsed.value.family, parsed.value.first)).toBe(text);
    },
  );

  test.each([
    ["010.8.0.1", "leading zero (RFC 6943 §3.1.1)"],
    ["10.8.1", "three parts"],
    ["0x0a080001", "hexadecimal"],
    ["FD00::1", "upper case (RFC 5952 §4.3)"],
    ["fd00:0::1", "zero run (RFC 5952 §4.2)"],
    ["::ffff:10.8.0.1", "IPv4-mapped"],
    ["::ffff:a08:1", "IPv4-mapped in hex"],
    ["fe80::1%eth0", "zone id"],
    ["10.8.0.1\n", "newline"],
    ["10.8.0.1\0", "NUL"],
    ["", "empty"],
  ])("refuses %j: %s", (text) => {
    expect(parseAddress(text).ok).toBe(false);
  });
});

describe("parseCidr", () => {
  test("refuses host bits and names the network", () => {
    expect(parseCidr("10.8.0.1/24")).toEqual({
      ok: false,
      expected: "a network without host bits: 10.8.0.0/24",
    });
    expect(parseCidr("fd00::1/64")).toEqual({
      ok: false,
      expected: "a network without host bits: fd00::/64",
    });
  });

  test.each(["10.8.0.0", "10.8.0.0/33", "fd00::/129", "10.8.0.0/024", "10.8.0.0/24/24", "10.8.0.0/-1"])(
    "refuses %s",
    (text) => {
      expect(parseCidr(text).ok).toBe(false);
    },
  );

  test("a network's bounds are its first and last address", () => {
    expect(networkOf("v4", 0x0a080005n, 24)).toEqual({
      family: "v4",
      first: 0x0a080000n,
      last: 0x0a0800ffn,
      prefix: 24,
    });
    expect(parseCidr("0.0.0.0/0").ok && parseCidr("::/0").ok).toBe(true);
  });
});
