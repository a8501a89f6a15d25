import { expect, test } from "vitest";
import { formatElement } from "#agent/backend/nft/shape.ts";

test.each([
  [
    "ports",
    [
      ["tcp", 8080],
      [6, 8080],
    ],
    "tcp . 8080 : jump c",
  ],
  [
    "hosts",
    [
      ["10.1.0.1", "udp", 6],
      ["10.1.0.1", 17, 6],
    ],
    "10.1.0.1 . udp . 6 : jump c",
  ],
])("an element of %s reads the same when nft knows protocols by number only", (_, keys, text) => {
  for (const concat of keys)
    expect(formatElement([{ concat }, { jump: { target: "c" } }])).toBe(text);
});
