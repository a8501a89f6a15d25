import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Ingress } from "#schema/intent.ts";
import { hashText } from "#schema/sha256.ts";
import { parseUnixSeconds, unixSecondsMax } from "#schema/time.ts";

describe("sha256Text", () => {
  test.each([
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
  ])("gives the digest that FIPS 180-4 gives of %j", (text, digest) => {
    expect(hashText(text)).toBe(digest);
  });

  test("agrees with OpenSSL on every length around the ends of blocks, and on any text", () => {
    const openssl = (text: string) => createHash("sha256").update(text).digest("hex");
    for (let length = 0; length <= 200; length += 1)
      expect(hashText("x".repeat(length))).toBe(openssl("x".repeat(length)));
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        expect(hashText(text)).toBe(openssl(text));
      }),
    );
  });
});

describe("unixSeconds", () => {
  test("agrees with the runtime's calendar from 1970 to 2262", () => {
    fc.assert(
      fc.property(fc.nat({ max: unixSecondsMax }), (seconds) => {
        const text = new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
        expect(parseUnixSeconds(text)).toBe(seconds);
      }),
      { numRuns: 2000 },
    );
    expect(parseUnixSeconds("2000-02-29T00:00:00Z")).toBe(951_782_400);
    expect(parseUnixSeconds("2262-04-11T23:47:16Z")).toBe(unixSecondsMax);
  });

  test.each([
    "2026-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z",
    "2026-01-01T00:00:60Z",
    "2026-01-01T00:00:00",
    "2026-01-01T00:00:00+02:00",
    "2026-01-01T00:00:00.5Z",
    "2026-01-01",
    "1969-12-31T23:59:59Z",
    "2262-04-11T23:47:17Z",
    "9999-12-31T23:59:59Z",
  ])("refuses %s, in a grant too", (text) => {
    expect(parseUnixSeconds(text)).toBeUndefined();
    expect(Ingress.safeParse({ from: "any", macro: "ssh", expires_at: text }).success).toBe(false);
  });
});
