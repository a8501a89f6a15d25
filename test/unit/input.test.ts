/** What finds a key that stands twice and a number that is not plain, and what guesses a misspelt word. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findClosest } from "#schema/closest.ts";
import { findForgiven } from "#worker/http/strict-json.ts";

describe("a key that stands twice", () => {
  test.each([
    ['{"a":1,"a":2}', ["a"]],
    ['{"a":1,"\\u0061":2}', ["a"]],
    [String.raw`{"\"":1,"b":"\"}{,","\"":2}`, ['"']],
    [String.raw`{"a\\":1,"b":[[],{"a":"a"},{"c":0,"d":{"c":0,"c":0}}]}`, ["b", 2, "d", "c"]],
    ['[0,{"x":{}},{"x":[],"x":[]}]', [2, "x"]],
    ['{"__proto__":{}}', ["__proto__"]],
    [' { "a" : [ ] , "a" : 0 } ', ["a"]],
  ])("is found in %s", (text, path) => {
    expect(findForgiven(text)).toEqual({ what: "key", path });
  });

  test.each([
    '{"a":"a","b":{"a":0}}',
    '[{"a":1},{"a":1}]',
    '"a","a"',
    "{",
    '{"a',
    '{"a\\',
    "}",
    "",
    ",",
    '{"\\x":0',
  ])("is not found in %s", (text) => {
    expect(findForgiven(text)).toBeUndefined();
  });

  test("is found wherever it stands, and nowhere else", () => {
    const json = fc
      .json({ maxDepth: 5 })
      .map((text) => JSON.stringify(JSON.parse(text)))
      .filter((text) => !/\d[eE]/.test(text));
    fc.assert(
      fc.property(json, fc.nat(), (text, pick) => {
        expect(findForgiven(text.replaceAll("__proto__", "proto"))).toBeUndefined();
        // A key of this name cannot be there already, so any object may take it twice.
        const objects = [...text.matchAll(/"(?:[^"\\]|\\.)*"|\{(?=")/g)].filter(
          ([token]) => token === "{",
        );
        const chosen = objects[pick % Math.max(objects.length, 1)];
        if (chosen === undefined) return;
        const inside = chosen.index + 1;
        const doubled = `${text.slice(0, inside)}"\\u0000!":0,"\\u0000!":1,${text.slice(inside)}`;
        if (!text.includes("__proto__")) expect(findForgiven(doubled)?.path.at(-1)).toBe("\0!");
      }),
    );
  });
});

describe("a number that is not plain", () => {
  test.each([
    ['{"port":8e3}', ["port"]],
    ['{"port":8E+3}', ["port"]],
    ['{"a":[0,{"port":8080.0}]}', ["a", 1, "port"]],
    ['{"port":80800e-1}', ["port"]],
    ["1e0", []],
    ["[1,-0.0]", [1]],
  ])("is found in %s", (text, path) => {
    expect(findForgiven(text)).toEqual({ what: "number", path });
  });

  test.each([
    '{"port":8080}',
    '{"share":0.5}',
    '{"share":1e-7}',
    "-0",
    '{"8e3":"8e3"}',
    '["0x1F90"]',
  ])("is not found in %s", (text) => {
    expect(findForgiven(text)).toBeUndefined();
  });
});

describe("what was probably meant", () => {
  test.each([
    ["relase", "release"],
    ["messgae", "message"],
    ["limits", "limit"],
    ["cursor", "cursor"],
    ["dry_run", undefined],
    ["x", undefined],
    ["", undefined],
  ])("by %j is %s", (word, meant) => {
    expect(findClosest(word, ["message", "release", "limit", "cursor"])).toBe(meant);
  });

  test("is nothing where nothing is known", () => {
    expect(findClosest("release", [])).toBeUndefined();
  });
});
