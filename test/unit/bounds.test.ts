/**
 * Bounds on everything that comes from outside: each list, text, table and number of each schema has one, and it is
 * judged before what it bounds is looked at. What is within them is read in steps that grow as it does, and no faster.
 */
import * as z from "zod";
import { afterAll, describe, expect, test } from "vitest";
import { openMeter } from "#test/support/work.ts";

const meter = openMeter();
afterAll(() => meter.close());
// Loaded when the meter runs, so that it counts every block.
const { boundOf, children, everySchema, isJudged, parts, sample } =
  await import("#test/support/schemas.ts");

const schemas = await everySchema();
const seen = new Set<z.ZodType>();
const nodes = schemas.flatMap((one) => [...parts(one, seen)]);
/** What is asked after the judgement before it. */
const judged = new Set<unknown>(
  nodes.flatMap(({ schema }) => (isJudged(schema) ? [schema.out] : [])),
);

/** What has no bound of its own because nothing reads it but people. */
const unread = new Set(["api/components.ts components.AuditItem/body{}"]);
/** Longer than any list, table or text may be; a table that is longer than this takes long to make. */
const beyond = { list: 2 ** 24, table: 100_001, text: 2 ** 23 };

type CheckDef = z.core.$ZodCheckDef & { readonly format?: string; readonly pattern?: RegExp };
const checksOf = (schema: z.ZodType): readonly z.core.$ZodCheck<never>[] =>
  schema._zod.def.checks ?? [];
const hasCheck = (schema: z.ZodType, kind: string): boolean =>
  checksOf(schema).some(({ _zod: { def } }) => def.check === kind);

describe("every", () => {
  test("number has a least and a most", () => {
    const unbounded = nodes.filter(
      ({ schema }) =>
        schema._zod.def.type === "number" &&
        !(hasCheck(schema, "greater_than") && hasCheck(schema, "less_than")),
    );
    expect(unbounded.map(({ path }) => path)).toEqual([]);
  });

  test("text has a longest, by a length or by a form that has one", () => {
    const unbounded = nodes.filter(
      ({ schema }) => schema._zod.def.type === "string" && !isShort(schema),
    );
    expect(unbounded.map(({ path }) => path)).toEqual([]);
  });

  test("list is refused for its length before any item is looked at", () => {
    const long = nodes.filter(
      ({ schema }) => isOutermost(schema, z.ZodArray) && looksAt(schema, longList()) > 0,
    );
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  test("table is refused for its size before any entry is looked at", () => {
    const large = nodes.filter(
      ({ schema }) =>
        isOutermost(schema, z.ZodRecord) &&
        !isKeyedByEnum(schema) &&
        looksAt(schema, largeTable()) > 0,
    );
    expect(large.map(({ path }) => path)).toEqual([]);
  });

  test("value is of a type that is read", () => {
    const types = ["unknown", "any", "custom", "map", "set"];
    const any = nodes.filter(({ schema }) => types.includes(schema._zod.def.type));
    expect(any.map(({ path }) => path).filter((path) => !unread.has(path))).toEqual([]);
  });

  test("check of our own comes after the bound of what it reads", () => {
    const early = nodes.filter(({ schema }) => hasCheck(schema, "custom") && runsOnTooMuch(schema));
    expect(early.map(({ path }) => path)).toEqual([]);
  });
});

function isShort(schema: z.ZodType): boolean {
  const defs = [
    schema._zod.def as unknown as CheckDef,
    ...checksOf(schema).map(({ _zod: { def } }) => def as CheckDef),
  ];
  return defs.some(
    ({ check, format, pattern }) =>
      check === "max_length" || format === "uuid" || (pattern !== undefined && endsAt(pattern)),
  );
}

/** Whether a pattern is anchored at both ends and repeats nothing without an end. */
function endsAt({ source }: RegExp): boolean {
  const outside = source.replace(/\\./g, "x").replace(/\[[^\]]*\]/g, "x");
  return outside.startsWith("^") && outside.endsWith("$") && !/[*+]|\{\d+,\}/.test(outside);
}

const isOutermost = (schema: z.ZodType, type: typeof z.ZodArray | typeof z.ZodRecord): boolean =>
  isJudged(schema) ? schema.out instanceof type : schema instanceof type && !judged.has(schema);

const isKeyedByEnum = (schema: z.ZodType): boolean =>
  schema instanceof z.ZodRecord && schema.keyType instanceof z.ZodEnum;

interface Watched {
  readonly value: unknown;
  readonly looked: () => number;
}

function watched(target: object, names: RegExp, length?: number): Watched {
  let looked = 0;
  const value = new Proxy(target, {
    get(of, key, receiver): unknown {
      if (key === "length" && length !== undefined) return length;
      if (typeof key === "string" && names.test(key)) looked += 1;
      if (looked > 100) throw new Error("it looks at them all");
      return Reflect.get(of, key, receiver) as unknown;
    },
  });
  return { value, looked: () => looked };
}

const longList = (): Watched => watched([], /^\d+$/, beyond.list);
const table = Object.fromEntries(Array.from({ length: beyond.table }, (_, i) => [`k${i}`, "v"]));
const largeTable = (): Watched => watched(table, /^k\d+$/);

/** How many entries are looked at before it is refused; more than there are where it is not. */
function looksAt(schema: z.ZodType, { value, looked }: Watched): number {
  try {
    return schema.safeParse(value).success ? Number.POSITIVE_INFINITY : looked();
  } catch {
    return looked();
  }
}

/** Whether a check of our own is asked about a value that is beyond its own bound, or beyond one of its fields'. */
function runsOnTooMuch(schema: z.ZodType): boolean {
  let runs = 0;
  const own = checksOf(schema).flatMap(({ _zod }) => (_zod.def.check === "custom" ? [_zod] : []));
  const kept = own.map((internals) => Object.getOwnPropertyDescriptor(internals, "check") ?? {});
  for (const internals of own)
    internals.check = () => {
      runs += 1;
    };
  for (const value of tooMuchFor(schema)) schema.safeParse(value);
  for (const [i, internals] of own.entries())
    Object.defineProperty(internals, "check", kept[i] ?? {});
  return runs > 0;
}

function tooMuchFor(schema: z.ZodType): readonly unknown[] {
  if (schema instanceof z.ZodObject) {
    const whole = sample(schema) as Readonly<Record<string, unknown>>;
    return children(schema).flatMap(([path, part]) =>
      tooMuchFor(part).map((value) => ({ ...whole, [path.slice(1)]: value })),
    );
  }
  if (isJudged(schema) || schema instanceof z.ZodArray || schema instanceof z.ZodRecord)
    return [longList().value, table];
  if (schema._zod.def.type === "string") return ["a".repeat(beyond.text), "1".repeat(beyond.text)];
  return children(schema).flatMap(([, part]) => tooMuchFor(part));
}

describe("steps grow no faster than what is read, for", () => {
  const longListsOf = (schema: z.ZodType): readonly z.ZodType[] =>
    [...parts({ name: "", schema })]
      .map((part) => part.schema)
      .filter((part) => mostOf(part) >= smallest);
  const direct = (schema: z.ZodType): readonly z.ZodType[] =>
    children(schema)
      .map(([, part]) => part)
      .filter((part) => mostOf(part) >= smallest);
  /** Each list alone; and each of a schema with a check of our own, which may compare anything with anything. */
  const cases = nodes.flatMap(({ path, schema }) => {
    if (mostOf(schema) >= smallest) return [{ name: path, root: schema, lists: [schema] }];
    if (!hasCheck(schema, "custom")) return [];
    const each = longListsOf(schema).map((list, i) => ({
      name: `${path}, list ${i}`,
      root: schema,
      lists: [list],
    }));
    const together = { name: `${path}, all lists`, root: schema, lists: direct(schema) };
    return together.lists.length > 1 ? [...each, together] : each;
  });

  test.each(cases)("$name", ({ root, lists }) => {
    const size = Math.min(largest, Math.min(...lists.map(mostOf)));
    const steps = (entries: number): number => {
      const value = sample(root, 0, new Map(lists.map((list) => [list, entries])));
      // Once before, as a schema makes its own code when it is first used; and the least of some, as the engine's own
      // work falls into one or the other.
      root.safeParse(value);
      return Math.min(...[0, 1, 2].map(() => meter.count(() => root.safeParse(value))));
    };
    const [quarter, half, whole] = [steps(size / 4), steps(size / 2), steps(size)];
    // Twice as much for twice as many; four times where each is compared with each.
    expect(Math.min(whole / half, (whole - half) / (half - quarter))).toBeLessThan(2.4);
  });
});

const smallest = 64;
const largest = 256;

function mostOf(schema: z.ZodType): number {
  if (!isJudged(schema)) return 0;
  return boundOf(schema.out, "max_length") ?? smallest;
}
