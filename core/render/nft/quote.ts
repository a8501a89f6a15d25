/**
 * The only place where words become nft text. `nft` is a template tag that takes nothing but text minted here, so a
 * string from a ruleset or a guard cannot reach the kernel's parser unless one of these functions looked at it.
 * What is outside an alphabet is refused, never escaped: nftables 1.0.6 has no escape for an identifier.
 */
import { InterfaceName } from "#schema/primitives.ts";

declare const minted: unique symbol;
/** Text that is safe to print into an nft file. */
export type NftText = string & { readonly [minted]: true };

/** A ruleset says something that this backend cannot; caught at the door of the room. */
export class Unsupported extends Error {}

const mint = (text: string): NftText => text as NftText;

/** Joins literal text of this program with minted text and integers. */
export function quoteNft(
  literals: TemplateStringsArray,
  ...values: readonly (NftText | number)[]
): NftText {
  return mint(
    String.raw(
      { raw: literals },
      ...values.map((value) => (typeof value === "number" ? quoteInteger(value) : value)),
    ),
  );
}

/** Joins minted texts with a separator of this program. */
export const join = (texts: readonly NftText[], separator: ", " | "," | " "): NftText =>
  mint(texts.join(separator));

/** What stands before one of these endings. @throws RangeError for text that has none of them */
export function removeEnding(text: NftText, ends: readonly NftText[]): NftText {
  const end = ends.find((each) => text.endsWith(each));
  if (end === undefined) throw new RangeError("expected another ending");
  return mint(text.slice(0, -end.length).trimEnd());
}

function quoteInteger(value: number): NftText {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Unsupported(`expected a number, got ${value}`);
  return mint(String(value));
}

/** NFT_NAME_MAXLEN is 256 with its final NUL (include/uapi/linux/netfilter/nf_tables.h). */
const nameBytesMax = 255;

export const isIdentifier = (name: string): boolean =>
  name.length <= nameBytesMax && /^(input|forward|output|[a-z][a-z0-9]*_[A-Za-z0-9_]+)$/.test(name);

/**
 * Name of a chain, set, map or counter. It starts with lower-case letters or digits and a `_`, because bare words such
 * as `fwd`, `rule` or `last` are keywords of nft and no keyword has a `_`. The three base chains bear their hook's name.
 */
export function quoteIdentifier(name: string): NftText {
  if (!isIdentifier(name))
    throw new Unsupported(
      `expected an nft object name such as r_web, got ${JSON.stringify(name.slice(0, 300))}`,
    );
  return mint(name);
}

/** A device name, in quotes. The alphabet holds neither a quote nor `*`, which would be a wildcard. */
export function quoteInterface(name: string): NftText {
  const parsed = InterfaceName.safeParse(name);
  if (!parsed.success) throw new Unsupported("expected an interface name");
  return mint(`"${parsed.data}"`);
}

/** A rule with every set and map that it names under another prefix; no word of a rule but those begins with `@`. */
export const namesPrefixed = (text: NftText, prefix: "flip"): NftText =>
  mint(text.replaceAll("@", `@${prefix}`));

/**
 * An address or a network. Its alphabet holds nothing that nft could take for anything else; that it is canonical, the
 * schema has seen, and to parse half a million of them again would cost more than loading them.
 */
export function quoteNetwork(text: string): NftText {
  if (!/^[0-9a-f.:]{2,45}(\/[0-9]{1,3})?$/.test(text))
    throw new Unsupported("expected an address or a network");
  return mint(text);
}

/** One of several words of this program, `{ a, b }`; a single one stands without braces. */
export function oneOf(texts: readonly NftText[]): NftText {
  const [first, ...rest] = texts;
  if (first === undefined) throw new Unsupported("expected at least one value to match");
  return rest.length === 0 ? first : quoteNft`{ ${join(texts, ", ")} }`;
}

/** A word of a closed list, such as an ICMP type or a connection state. */
export function quoteWord(text: string): NftText {
  if (!/^[a-z][a-z0-9-]*$/.test(text)) throw new Unsupported("expected a word of nft");
  return mint(text);
}
