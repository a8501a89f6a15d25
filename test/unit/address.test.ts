import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, test } from "vitest";
import { formatAddress, networkOf, parseAddress, parseCidr } from "#schema/address.ts";

describe("parseAddress", () => {
  test.each([
    "10.8.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "::",
    "::1",
    "fd00:8::2",
    "2001:db8::1:0:0:1",
  ])("accepts the canonical %s and writes it back", (text) => {
    const parsed = parseAddress(text);
    if (!parsed.ok) throw new Error(parsed.expected);
    expect(formatAddress(parsed.value.family, parsed.value.first)).toBe(text);
  });

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

  test.each([
    "10.8.0.0",
    "10.8.0.0/33",
    "fd00::/129",
    "10.8.0.0/024",
    "10.8.0.0/24/24",
    "10.8.0.0/-1",
  ])("refuses %s", (text) => {
    expect(parseCidr(text).ok).toBe(false);
  });

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

describe("one reader of canonical text, held against a library that reads every spelling", () => {
  /** What the library makes of text that it would spell the same; the number, with the number of bits. */
  function libraryReads(text: string): string | undefined {
    if (ipaddr.IPv4.isValidFourPartDecimal(text)) {
      const address = ipaddr.IPv4.parse(text);
      return address.toString() === text ? `32 ${hex(address.octets)}` : undefined;
    }
    if (text.includes("%") || !ipaddr.IPv6.isValid(text)) return undefined;
    const address = ipaddr.IPv6.parse(text);
    if (address.isIPv4MappedAddress() || address.toRFC5952String() !== text) return undefined;
    return `128 ${hex(address.toByteArray())}`;
  }
  const hex = (bytes: readonly number[]): string =>
    bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  function weRead(text: string): string | undefined {
    const parsed = parseAddress(text);
    if (!parsed.ok) return undefined;
    const { prefix, first } = parsed.value;
    return `${prefix} ${first.toString(16).padStart(prefix / 4, "0")}`;
  }

  const group = fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.constantFrom(1, 0xff, 0xffff) },
    { weight: 1, arbitrary: fc.nat({ max: 0xffff }) },
  );
  const spelt = fc
    .array(group, { minLength: 8, maxLength: 8 })
    .map((parts) => new ipaddr.IPv6(parts));
  const texts = fc.oneof(
    spelt.map((address) => address.toRFC5952String()),
    spelt.map((address) => address.toString()),
    spelt.map((address) => address.toNormalizedString()),
    fc.ipV4(),
    fc.ipV6(),
    fc.stringMatching(/^[0-9a-f:.]{0,20}$/),
    fc.stringMatching(/^([0-9a-f]{1,5}::?){1,8}[0-9a-f]{0,4}$/),
    fc.stringMatching(/^([0-9]{1,4}\.){2,4}[0-9]{0,4}$/),
  );
  const changed = fc
    .tuple(texts, fc.nat(), fc.constantFrom("", "0", "1", ":", ".", "f", "F", "%", " "))
    .map(([text, at, other]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + other + text.slice(place + (at % 2));
    });

  test("reads the same addresses as the same numbers, and no other text", () => {
    let read = 0;
    fc.assert(
      fc.property(fc.oneof(texts, changed), (text) => {
        const expected = libraryReads(text);
        if (expected !== undefined) read += 1;
        expect(weRead(text)).toBe(expected);
      }),
      { numRuns: 20_000 },
    );
    expect(read).toBeGreaterThan(2_000);
  });
});
