import { expect, test } from "vitest";
import { parseStrict, StrictJsonError } from "#core/json.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test.each<[string, unknown]>([
  ["{}", {}],
  [' { "a" : [ 1 , -2 , 0 ] } ', { a: [1, -2, 0] }],
  ['"\\u00e9\\n\\"\\\\"', 'é\n"\\'],
  ['"\u007f\u0085é😀"', "\u007f\u0085é😀"],
  ["[true,false,null]", [true, false, null]],
  ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ['{"constructor":1,"toString":2}', { constructor: 1, toString: 2 }],
])("reads %s", (text, value) => expect(parseStrict(bytes(text))).toEqual(value));

test.each([
  "",
  " ",
  "{",
  "[1,]",
  '{"a":1,}',
  "[1 2]",
  '{"a":1,"a":1}',
  '{"a":1,"\\u0061":2}',
  '{"__proto__":1}',
  "01",
  "-0",
  "1.0",
  "1e2",
  "1E2",
  "+1",
  "9007199254740992",
  "99999999999999999999",
  "NaN",
  "Infinity",
  "undefined",
  "'a'",
  "nul",
  '"\n"',
  '"\\x"',
  '"\\ud800"',
  '"a',
  '"\\',
  "{}{}",
  "[]]",
  "\ufeff{}",
  "/* */ 1",
  "[1]\0",
  `${"[".repeat(34)}${"]".repeat(34)}`,
])("refuses %j", (text) => expect(() => parseStrict(bytes(text))).toThrow(StrictJsonError));

test("refuses bytes that are not UTF-8", () => {
  expect(() => parseStrict(new Uint8Array([0x22, 0xff, 0x22]))).toThrow(StrictJsonError);
  expect(() => parseStrict(new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]))).toThrow(
    StrictJsonError,
  );
});

test("reads 32 levels, and megabytes of one string", () => {
  expect(parseStrict(bytes(`${"[".repeat(33)}${"]".repeat(33)}`))).toBeDefined();
  const long = "x".repeat(6_000_000);
  expect(parseStrict(bytes(JSON.stringify({ long })))).toEqual({ long });
});
