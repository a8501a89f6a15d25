/** Lists and scalars from outside: their length is judged before what they hold. */
import { expect, test } from "vitest";
import * as z from "zod";
import { Address, Cidr, Key, list, unique } from "#schema/primitives.ts";

const messages = (schema: z.ZodType, value: unknown): readonly string[] =>
  schema
    .safeParse(value)
    .error?.issues.map(({ path, message }) => `/${path.join("/")}: ${message}`) ?? [];

test.each([
  ["list", list],
  ["unique", unique],
])("%s reads no item of a list that is too long", (_, bounded) => {
  let read = 0;
  const item = z.string().refine(() => ++read > 0);
  expect(messages(bounded(item, { max: 3 }), ["a", "b", "c", "d"])).toEqual([
    "/: expected at most 3 items, found 4",
  ]);
  expect(read).toBe(0);
  expect(messages(bounded(item, { max: 3 }), ["a", "b", "c"])).toEqual([]);
  expect(read).toBe(3);
});

test("a list that is too short says so, in its own words where it has them", () => {
  expect(messages(list(z.string(), { min: 1, max: 3 }), [])).toEqual([
    "/: expected at least 1 item",
  ]);
  expect(messages(list(z.string(), { min: 1, max: 3, tooFew: "expected a name" }), [])).toEqual([
    "/: expected a name",
  ]);
});

test("a list is still told as one to who reads the API", () => {
  expect(z.toJSONSchema(list(z.string(), { min: 1, max: 3 }), { io: "input" })).toMatchObject({
    type: "array",
    minItems: 1,
    maxItems: 3,
  });
});

test("every duplicate is named, in a list as long as one may be", () => {
  const names = Array.from({ length: 400_000 }, (_, i) => `n${i}`);
  names[399_999] = "n0";
  expect(messages(unique(Key, { max: 400_000 }), names)).toEqual([
    "/399999: expected no duplicates",
  ]);
});

test.each([
  ["address", Address, "expected an IP address"],
  ["network", Cidr, "expected a network"],
])("an %s that is too long is not read", (_, schema, message) => {
  expect(messages(schema, "1.".repeat(1_000_000))).toEqual([`/: ${message}`]);
});
