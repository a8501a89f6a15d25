/**
 * Signed files that somebody made by mistake or with intent: a sound payload, changed in one place by a table of places
 * and a table of values, and signed again by the very keys, so that no signature is the reason why it is refused.
 */
import { makeRootKey, type RootKey } from "#cli/root/name.ts";
import { keyIdOf } from "#core/tuf/read.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { type Signature, tufKey } from "#schema/tuf.ts";
import { sign } from "node:crypto";

export type Payload = Record<string, unknown>;

export interface Mutant {
  readonly title: string;
  readonly text: string;
  /** What every reader must say; undefined where they may differ, the stricter one before the other. */
  readonly wanted: "taken" | "refused" | undefined;
}

/** Signs whatever the payload has become. What canonical JSON cannot say is signed as JavaScript says it. */
export function signedText(signed: unknown, by: readonly RootKey[]): string {
  const bytes = Buffer.from(saying(signed));
  const signatures = by
    .map(({ keyid, privateKey }): Signature => ({
      keyid,
      sig: sign(null, bytes, privateKey).toString("hex"),
    }))
    .toSorted((a, b) => (a.keyid < b.keyid ? -1 : 1));
  return saying({ signatures, signed });
}

function saying(value: unknown): string {
  try {
    return formatCanonical(value);
  } catch {
    return JSON.stringify(value);
  }
}

/** Times that do not exist, that have another form, or that readers of dates take for another time. */
export const noTimes: readonly string[] = [
  "2027-09-31T00:00:00Z",
  "2027-02-29T00:00:00Z",
  "2100-02-29T00:00:00Z",
  "2027-02-30T00:00:00Z",
  "2027-04-31T12:00:00Z",
  "2027-00-10T00:00:00Z",
  "2027-13-01T00:00:00Z",
  "2027-09-00T00:00:00Z",
  "2027-09-32T00:00:00Z",
  "2027-09-30T24:00:00Z",
  "2027-09-30T24:00:01Z",
  "2027-09-30T25:00:00Z",
  "2027-09-30T23:60:00Z",
  "2026-12-31T23:59:60Z",
  "2027-06-30T23:59:60Z",
  "2027-09-30T00:00:61Z",
  "2027-09-30",
  "2027-09-30T00:00Z",
  "2027-09-30T00:00:00",
  "2027-09-30T00:00:00.000Z",
  "2027-09-30T00:00:00+00:00",
  "2027-09-30T02:00:00+02:00",
  "2027-09-30t00:00:00z",
  "2027-09-30 00:00:00Z",
  " 2027-09-30T00:00:00Z",
  "2027-09-30T00:00:00Z ",
  "2027-9-30T00:00:00Z",
  "+002027-09-30T00:00:00Z",
  "12027-09-30T00:00:00Z",
  "9999-12-31T23:59:59Z",
  "２０２７-09-30T00:00:00Z",
  "2027-09-30T00:00:00Z\n",
  "Thu, 30 Sep 2027 00:00:00 GMT",
  "1822262400",
  "1969-12-31T23:59:59Z",
];

/** Values that nothing of the kind ever has. */
const strange: readonly unknown[] = [
  null,
  "",
  "x",
  -1,
  0,
  1.5,
  2 ** 53,
  1e300,
  true,
  [],
  {},
  [[]],
  "ünï\u0000cødé",
  "\u202e",
];

type Path = readonly string[];

const edited = (value: unknown, path: Path, edit: (before: unknown) => unknown): unknown => {
  const [first, ...rest] = path;
  if (first === undefined) return edit(value);
  const record = value as Payload;
  const next = edited(record[first], rest, edit);
  const { [first]: _, ...others } = record;
  return next === gone ? others : { ...others, [first]: next };
};
const gone = Symbol("gone");

/** A payload with one place changed. */
export const withValue = (payload: unknown, path: Path, value: unknown): unknown =>
  edited(payload, path, () => value);
const without = (payload: unknown, path: Path): unknown => edited(payload, path, () => gone);

/** Every place × every strange value, without the place, and with a field beside it that nobody knows. */
export function changedPlaces(
  payload: unknown,
  places: readonly Path[],
): readonly { readonly title: string; readonly payload: unknown }[] {
  const sound = saying(payload);
  const changed = places.flatMap((path) => {
    const at = path.join("/");
    const parent = path.slice(0, -1);
    return [
      ...strange.map((value) => ({
        title: `${at} is ${typeof value === "string" ? JSON.stringify(value) : saying(value)}`,
        payload: withValue(payload, path, value),
      })),
      { title: `${at} is missing`, payload: without(payload, path) },
      { title: `beside ${at} stands more`, payload: withValue(payload, [...parent, "x-more"], 1) },
      { title: `beside ${at} stands __proto__`, payload: withProto(payload, parent) },
    ];
  });
  return changed.filter((one) => saying(one.payload) !== sound);
}

/** JSON may bear the key `__proto__`, which readers take for three different things. */
const withProto = (payload: unknown, path: Path): unknown =>
  edited(payload, path, (before) => {
    const copy: Payload = { ...(before as Payload) };
    Object.defineProperty(copy, "__proto__", { value: { version: 9 }, enumerable: true });
    return copy;
  });

/** Keys that verify what nobody signed, in every form, and 32 bytes that are no key at all. */
export const weakKeys: readonly string[] = [
  ...[
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ].flatMap((key) => [
    key,
    key.slice(0, -2) + (Number.parseInt(key.slice(-2), 16) | 0x80).toString(16),
  ]),
  // y = 2 is on no point of the curve, and no canonical y is as large as the prime.
  `02${"00".repeat(31)}`,
  `f0${"ff".repeat(30)}7f`,
  "ff".repeat(32),
];

/** What JSON's readers read in different ways: the same value, or what some of them take for it. */
export const otherForms: readonly (readonly [title: string, edit: (text: string) => string])[] = [
  ["a byte order mark before it", (text) => `\ufeff${text}`],
  ["a comma after the last member", (text) => text.replace(/\}$/, ",}")],
  ["a comment within", (text) => text.replace("{", "{/* */")],
  ["another value after it", (text) => `${text}{}`],
  ["a NUL after it", (text) => `${text}\u0000`],
  ["half of it", (text) => text.slice(0, text.length / 2)],
  ["nothing", () => ""],
  ["null", () => "null"],
  ["a list", (text) => `[${text}]`],
  ["a string", (text) => JSON.stringify(text)],
  ["the version as 2.0", (text) => text.replace('"version":2', '"version":2.0')],
  ["the version as 2e0", (text) => text.replace('"version":2', '"version":2e0')],
  ["the version as 02", (text) => text.replace('"version":2', '"version":02')],
  ["the version as +2", (text) => text.replace('"version":2', '"version":+2')],
  ["the version as NaN", (text) => text.replace('"version":2', '"version":NaN')],
  ["the version as -0", (text) => text.replace('"version":2', '"version":-0')],
  ["the version as text", (text) => text.replace('"version":2', '"version":"2"')],
  [
    "the version twice, the last another",
    (text) => text.replace('"version":2', '"version":2,"version":3'),
  ],
  [
    "the version twice, the first another",
    (text) => text.replace('"version":2', '"version":1,"version":2'),
  ],
  ["the payload twice", (text) => text.replace('"signed":{', '"signed":{"version":9},"signed":{')],
  [
    "the signatures twice",
    (text) => text.replace('"signatures":[', '"signatures":[],"signatures":['),
  ],
  ["single quotes", (text) => text.replaceAll('"', "'")],
  ["a lone surrogate", (text) => text.replace('"root"', '"root\\ud800"')],
  [
    "40 levels",
    (text) => text.replace('"signatures":[', `"signatures":[${"[".repeat(40)}${"]".repeat(40)},`),
  ],
  ["more than may be read", (text) => " ".repeat(64 * 1024) + text],
];

/** The same, where the value is the same and only its text is not canonical: whoever stores it refuses it. */
export const otherSpellings: readonly (readonly [title: string, edit: (text: string) => string])[] =
  [
    ["white space within", (text) => text.replace('"version":', '"version" : ')],
    ["a line's end after it", (text) => `${text}\n`],
    ["letters as escapes", (text) => text.replace('"version"', '"\\u0076ersion"')],
    [
      "members in another order",
      (text) => text.replace(/^\{("signatures":\[.*?\]),(.*)\}$/, "{$2,$1}"),
    ],
  ];

/** Changes of signatures on a text that a threshold of keys signed. */
export function signatureChanges(
  signed: unknown,
  by: readonly [RootKey, RootKey, RootKey],
): readonly Mutant[] {
  const [a, b, c] = by;
  const stranger = makeRootKey();
  const of = (...keys: readonly RootKey[]): readonly Signature[] =>
    (JSON.parse(signedText(signed, keys)) as { signatures: Signature[] }).signatures;
  const text = (signatures: readonly unknown[]): string => saying({ signatures, signed });
  const [first, second] = of(a, b) as [Signature, Signature];
  const flipped = {
    ...first,
    sig: `${first.sig.startsWith("0") ? "1" : "0"}${first.sig.slice(1)}`,
  };
  const one = (
    title: string,
    signatures: readonly unknown[],
    wanted: Mutant["wanted"],
  ): Mutant => ({
    title: `signatures: ${title}`,
    text: text(signatures),
    wanted,
  });
  return [
    one("by all three keys", of(a, b, c), "taken"),
    one("by two others of the three", of(b, c), "taken"),
    one("by two, and a stranger's beside them", of(a, b, stranger), "taken"),
    one(
      "by two, and one of the third that does not hold",
      [...of(a, b), { ...flipped, keyid: c.keyid }],
      "taken",
    ),
    one("none", [], "refused"),
    one("by one key", of(a), "refused"),
    one("by one key and a stranger's", of(a, stranger), "refused"),
    one("one of them flipped", [flipped, second], "refused"),
    one("one key's twice", [first, first], "refused"),
    one("one key's twice, beside another's", [first, first, second], "refused"),
    one("one under the other's name", [first, { ...first, keyid: second.keyid }], "refused"),
    one(
      "a key id in capitals",
      [{ ...first, keyid: first.keyid.toUpperCase() }, second],
      "refused",
    ),
    one("a signature in capitals", [{ ...first, sig: first.sig.toUpperCase() }, second], "refused"),
    one("a signature cut short", [{ ...first, sig: first.sig.slice(2) }, second], "refused"),
    one("an empty signature", [{ ...first, sig: "" }, second], "refused"),
    one(
      "S with the group's order added",
      [{ ...first, sig: malleable(first.sig) }, second],
      "refused",
    ),
    one("with a method beside", [{ ...first, method: "ed25519" }, second], "refused"),
    one("not a list", Object.assign([], { length: 0 }), "refused"),
    {
      title: "signatures: an object",
      text: saying({ signatures: { [a.keyid]: first.sig }, signed }),
      wanted: "refused",
    },
    one(
      "33 of them",
      [...of(a, b), ...Array.from({ length: 31 }, () => of(makeRootKey())[0])],
      "refused",
    ),
  ];
}

/** The order of the base point (RFC 8032 §5.1). */
const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;

/** The same R with S + L: a verifier that does not bound S takes it for the same signature (RFC 8032 §8.4). */
function malleable(sig: string): string {
  const little = (hex: string): bigint =>
    (hex.match(/../g) ?? [])
      .toReversed()
      .reduce((sum, byte) => (sum << 8n) | BigInt(`0x${byte}`), 0n);
  const raised = (little(sig.slice(64)) + order).toString(16).padStart(64, "0");
  return sig.slice(0, 64) + (raised.match(/../g) ?? []).toReversed().join("");
}

/** A key object and its id. */
export function keyOf(publicHex: string): readonly [string, ReturnType<typeof tufKey>] {
  const key = tufKey(publicHex);
  return [keyIdOf(key), key];
}
