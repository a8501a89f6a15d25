/**
 * Every zod schema there is: what the files of schema/ say, and what the routes of the API take and give. Walked by what
 * a schema is made of, so that none is left out, and with a value for each.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";

const root = new URL("../../schema/", import.meta.url).pathname;

export interface NamedSchema {
  readonly name: string;
  readonly schema: z.ZodType;
}

/** By file and name of export. */
export async function everySchema(): Promise<readonly NamedSchema[]> {
  const files = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter(
      (file) => file.endsWith(".ts") && !file.endsWith(".d.ts") && !file.startsWith("tables/"),
    )
    .sort();
  const found: NamedSchema[] = [];
  for (const file of files) {
    const exported = (await import(join(root, file))) as Readonly<Record<string, unknown>>;
    for (const [name, value] of Object.entries(exported))
      found.push(...schemasIn(`${file} ${name}`, value, 4));
  }
  return found;
}

/** A schema, or those in an object of them, such as a table of routes. */
function schemasIn(name: string, value: unknown, depth: number): readonly NamedSchema[] {
  if (value instanceof z.ZodType) return [{ name, schema: value }];
  if (typeof value !== "object" || value === null || Array.isArray(value) || depth === 0) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    schemasIn(`${name}.${key}`, inner, depth - 1),
  );
}

export interface Node {
  readonly path: string;
  readonly schema: z.ZodType;
}

/** The schemas that one is made of, itself first; each once. */
export function* parts(
  { name, schema }: NamedSchema,
  seen = new Set<z.ZodType>(),
): Generator<Node> {
  if (seen.has(schema)) return;
  seen.add(schema);
  yield { path: name, schema };
  for (const [key, inner] of children(schema))
    yield* parts({ name: `${name}${key}`, schema: inner }, seen);
}

export function children(schema: z.ZodType): readonly (readonly [string, z.ZodType])[] {
  const inner = (key: string, part: unknown): readonly (readonly [string, z.ZodType])[] =>
    part instanceof z.ZodType ? [[key, part]] : [];
  if (schema instanceof z.ZodObject)
    return Object.entries(schema.shape as Readonly<Record<string, unknown>>).flatMap(
      ([key, part]) => inner(`/${key}`, part),
    );
  if (schema instanceof z.ZodArray) return inner("[]", schema.element);
  if (schema instanceof z.ZodRecord)
    return [...inner("{key}", schema.keyType), ...inner("{}", schema.valueType)];
  if (schema instanceof z.ZodUnion)
    return schema.options.flatMap((part, i) => inner(`|${i}`, part));
  if (schema instanceof z.ZodPipe) return [...inner("", schema.in), ...inner("", schema.out)];
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  )
    return inner("", schema.unwrap());
  return [];
}

const hexByte = (i: number): string => (i & 255).toString(16).padStart(2, "0");

/** Values that fit some schema; each by a number, so that any two of one form differ. */
const texts: readonly ((i: number) => string)[] = [
  (i) => `k${i}`,
  (i) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`,
  (i) => `10.${(i >> 8) & 255}.${i & 255}.0/24`,
  (i) => i.toString(16).padStart(64, "0"),
  (i) => i.toString(16).padStart(32, "0"),
  (i) => i.toString(16).padStart(16, "0"),
  (i) => i.toString(16).padStart(128, "0"),
  (i) => `A${i}`.padEnd(43, "A"),
  (i) => `A${i}`.padEnd(86, "A"),
  (i) => `zones/k${i}`,
  (i) => `overlay/cn${i}`,
  (i) => `role:k${i}`,
  () => "2026-12-31T23:59:59Z",
  (i) => `52:54:00:00:${hexByte(i >> 8)}:${hexByte(i)}`,
  () => "AAAA",
  () => "443",
  () => "now",
  () => `${"0".repeat(64)}.bundle.json`,
  () => "timestamp.json",
  () => "host/k",
  () => "root=1;timestamp=1;targets=1",
  () =>
    "8-4-4-4-12"
      .replace(/\d+/g, (length) => "0".repeat(Number(length)))
      .replace(/^(.{14})0/, "$14")
      .replace(/^(.{19})0/, "$18"),
];

/** How many entries these lists and tables have; all others have as few as they may. */
export type Sizes = ReadonlyMap<z.ZodType, number>;

/** A value of the schema, number `i` of its kind. @throws Error when there is none to be found */
export function sample(schema: z.ZodType, i = 0, sizes: Sizes = new Map()): unknown {
  if (schema instanceof z.ZodObject) return sampleObject(schema, i, sizes);
  if (isJudged(schema)) return sampleList(schema.out, sizes.get(schema), i, sizes);
  if (schema instanceof z.ZodPipe) return sample(schema.in as z.ZodType, i, sizes);
  if (schema instanceof z.ZodArray || schema instanceof z.ZodRecord)
    return sampleList(schema, sizes.get(schema), i, sizes);
  if (schema instanceof z.ZodUnion) {
    const options = schema.options as readonly z.ZodType[];
    return sample(options.find((option) => holds(option, sizes)) ?? options[0] ?? schema, i, sizes);
  }
  const [inner] = children(schema);
  return inner === undefined ? sampleScalar(schema, i) : sample(inner[1], i, sizes);
}

/** A list or a table with what is judged before it is read. */
export const isJudged = (
  schema: z.ZodType,
): schema is z.ZodPipe<z.ZodTransform, z.ZodArray<z.ZodType> | z.ZodRecord> =>
  schema instanceof z.ZodPipe &&
  schema.in instanceof z.ZodTransform &&
  (schema.out instanceof z.ZodArray || schema.out instanceof z.ZodRecord);

function sampleList(
  schema: z.ZodType,
  wished: number | undefined,
  i: number,
  sizes: Sizes,
): unknown {
  const [key, value] = children(schema).map(([, part]) => part);
  if (key === undefined) throw new Error("a list of nothing");
  const size = wished ?? Math.max(boundOf(schema, "min_length") ?? 0, holds(schema, sizes) ? 1 : 0);
  const numbers = Array.from({ length: size }, (_, at) => i + at);
  if (value === undefined) return numbers.map((number) => sample(key, number, sizes));
  return Object.fromEntries(
    numbers.map((number) => [sample(key, number, sizes) as string, sample(value, number, sizes)]),
  );
}

/** The least or the most that a list's own checks admit. */
export function boundOf(list: z.ZodType, kind: "min_length" | "max_length"): number | undefined {
  const found = (list._zod.def.checks ?? []).find(({ _zod: { def } }) => def.check === kind)?._zod
    .def;
  const { minimum, maximum } = (found ?? {}) as {
    readonly minimum?: number;
    readonly maximum?: number;
  };
  return minimum ?? maximum;
}

function sampleObject(schema: z.ZodObject, i: number, sizes: Sizes): unknown {
  const entries = Object.entries(schema.shape as Readonly<Record<string, z.ZodType>>);
  const needed = entries.filter(
    ([, part]) => !part.safeParse(undefined).success || holds(part, sizes),
  );
  return Object.fromEntries(needed.map(([key, part]) => [key, sample(part, i, sizes)]));
}

/** Whether a list or table with a size is somewhere inside. */
const holds = (schema: z.ZodType, sizes: Sizes): boolean =>
  sizes.size > 0 && [...parts({ name: "", schema })].some((part) => sizes.has(part.schema));

function sampleScalar(schema: z.ZodType, i: number): unknown {
  if (schema instanceof z.ZodLiteral) return schema.value;
  if (schema instanceof z.ZodEnum) return schema.options[i % schema.options.length];
  const minimum = schema instanceof z.ZodNumber ? (schema.minValue ?? 0) : 0;
  const candidates: readonly unknown[] = [
    minimum + i,
    minimum,
    true,
    null,
    ...texts.map((text) => text(i)),
  ];
  const fitting = candidates.find((value) => schema.safeParse(value).success);
  if (fitting === undefined) throw new Error(`nothing fits ${schema._zod.def.type}`);
  return fitting;
}
