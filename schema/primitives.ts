/**
 * The scalars that everything else is made of, each with one spelling and one error message.
 *
 * No name admitted here can carry a control character, a quote, white space or a path separator: names end up in
 * file names, URLs and, encoded, in kernel objects.
 */
import * as z from "zod";
import { parseAddress, parseCidr } from "./address.ts";

/** What is of another form is not looked at further. */
const makeNameSchema = (what: string, pattern: RegExp, expected: string) =>
  z
    .string({ error: `expected ${what}` })
    .regex(pattern, { error: `expected ${expected}`, abort: true });

/** Longest textual IPv6 address, with IPv4 at its end (INET6_ADDRSTRLEN - 1). */
const addressLengthMax = 45;
const cidrLengthMax = addressLengthMax + "/128".length;

/** Text whose length ends the check, so that what reads it reads no more than that. */
const shortText = (expected: string, max: number) =>
  z.string({ error: expected }).max(max, { error: expected, abort: true });

/** Key of a host, overlay or group: 1–63 characters of `A-Z a-z 0-9 . _ -`, starting with a letter or a digit. */
export const Key = makeNameSchema(
  "a name",
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
  "a name of 1 to 63 letters, digits, '.', '_' or '-', starting with a letter or digit",
);
export type Key = z.infer<typeof Key>;

/** Key of what a catalog names in `from`: a zone, role, service or host. `any` is taken. */
export const Name = Key.refine((name) => name !== "any", {
  error: "expected a name other than any",
});

/** A VPN client's certificate common name; at most 64 characters (RFC 5280, ub-common-name). */
export const CommonName = makeNameSchema(
  "a common name",
  /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$/,
  "a common name of 1 to 64 letters, digits, '.', '_', '@', '+' or '-', starting with a letter or digit",
);
export type CommonName = z.infer<typeof CommonName>;

/** A network device name: at most 15 bytes (IFNAMSIZ - 1), neither `.` nor `..` (dev_valid_name in net/core/dev.c). */
export const InterfaceName = makeNameSchema(
  "an interface name",
  /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,15}$/,
  "an interface name of 1 to 15 letters, digits, '.', '_' or '-'",
);
export type InterfaceName = z.infer<typeof InterfaceName>;

const canonical = (expected: string, max: number, parse: typeof parseAddress) =>
  shortText(expected, max).check((ctx) => {
    const parsed = parse(ctx.value);
    if (!parsed.ok)
      ctx.issues.push({ code: "custom", input: ctx.value, message: `expected ${parsed.expected}` });
  });

/** One canonical IPv4 or IPv6 address. */
export const Address = canonical("expected an IP address", addressLengthMax, parseAddress);
export type Address = z.infer<typeof Address>;

/** One canonical IPv4 or IPv6 network, host bits clear. */
export const Cidr = canonical("expected a network", cidrLengthMax, parseCidr);
export type Cidr = z.infer<typeof Cidr>;

/** Either of the two, told apart by the slash: a union would read each network twice, and say nothing of what is wrong. */
export const AddressOrCidr = canonical("expected an address or a network", cidrLengthMax, (text) =>
  text.includes("/") ? parseCidr(text) : parseAddress(text),
);
export type AddressOrCidr = z.infer<typeof AddressOrCidr>;

export const Port = z
  .int({ error: "expected a port from 1 to 65535" })
  .min(1, { error: "expected a port from 1 to 65535" })
  .max(65_535, { error: "expected a port from 1 to 65535" });

/** How many of something, or bytes; what JSON can say exactly. */
export const Count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** A number that only rises, such as a seq or a version. No count reaches its end, and below it adding is exact (2^53). */
export const Ordinal = z
  .int()
  .min(1)
  .max(2 ** 52);

/**
 * Whether a number is spelt as people write it. Readers of YAML differ in what else is one: `0x1F90`, `8e3`, `0o20`, and
 * `0110`, which is 110 to some and 72 to others.
 */
export const isPlainNumber = (text: string): boolean =>
  Number.isInteger(Number(text))
    ? /^-?(0|[1-9]\d*)$/.test(text)
    : /^-?(0|[1-9]\d*)\.\d+$/.test(text);

/** A revision number; 0 is the empty intent before the first commit. */
export const Revision = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** Text of at most so many characters; a longer one is not looked at. */
export const textUpTo = (max: number) =>
  shortText(`expected text of at most ${max} characters`, max);

/** A UTC time in ISO 8601, such as 2026-12-31T23:59:59.000Z. */
export const Time = z.iso
  .datetime({ error: "expected a UTC time such as 2026-12-31T23:59:59Z", abort: true })
  .max(40, { error: "expected a time of at most 40 characters", abort: true });

/** Lower-case hex SHA-256. */
export const Sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, { error: "expected a SHA-256 in lower-case hex" });

/** How many items a list holds: at most `max`, at least `min` (0 where left out), told by `tooFew`. */
export interface Length {
  readonly min?: number;
  readonly max: number;
  readonly tooFew?: string;
}

/** A list whose length is judged before any item is read, so that a list beyond its bound costs nothing. */
export function list<T extends z.ZodType>(
  item: T,
  length: Length,
): z.ZodType<z.output<T>[], readonly z.input<T>[]> {
  const { min = 0, max, tooFew = `expected at least ${count(min)}` } = length;
  const items = z.array(item).min(min, { error: tooFew }).max(max);
  return z.preprocess((value, ctx) => {
    if (Array.isArray(value) && value.length > max)
      ctx.addIssue({
        code: "custom",
        message: `expected at most ${count(max)}, found ${value.length}`,
      });
    return value;
  }, items) as z.ZodType<z.output<T>[], readonly z.input<T>[]>;
}

/** A table of at most so many entries, which are counted before any is read. */
export function makeTable<K extends z.ZodType<string>, V extends z.ZodType>(
  key: K,
  value: V,
  { max }: Pick<Length, "max">,
): z.ZodType<Record<z.output<K>, z.output<V>>, Readonly<Record<z.input<K> & string, z.input<V>>>> {
  const judged = z.preprocess(
    (entries, ctx) => {
      const size =
        typeof entries === "object" && entries !== null ? Object.keys(entries).length : 0;
      if (size > max)
        ctx.addIssue({ code: "custom", message: `expected at most ${count(max)}, found ${size}` });
      return entries;
    },
    z.record(key as unknown as z.core.$ZodRecordKey, value),
  );
  return judged as unknown as z.ZodType<
    Record<z.output<K>, z.output<V>>,
    Readonly<Record<z.input<K> & string, z.input<V>>>
  >;
}

const count = (items: number): string => (items === 1 ? "1 item" : `${items} items`);

/** A list without duplicates; order is kept as given, so bodies read back as they were written. */
export const unique = <T extends z.ZodType<string>>(item: T, length: Length) =>
  list(item, length).check((ctx) => {
    const seen = new Set<string>();
    for (const [index, value] of ctx.value.entries()) {
      if (seen.has(value))
        ctx.issues.push({
          code: "custom",
          input: value,
          path: [index],
          message: "expected no duplicates",
        });
      seen.add(value);
    }
  });

/** Free text for people: no control characters (they forge log lines), 1–500 characters. */
export const Note = z
  .string()
  .max(500, { error: "expected at most 500 characters", abort: true })
  .min(1, { error: "expected some text" })
  .regex(/^[^\p{Cc}\u2028\u2029]*$/u, { error: "expected text without control characters" });
