import { expect, test } from "vitest";
import {
  arrowsBetween,
  circularArrows,
  namedFunctions,
  roomOf,
  declaredNames,
} from "#test/house/measure.ts";
import { declaredFault, nameFault, retiredWords } from "#test/checks/names.ts";
import { isVerbFirst } from "#test/house/verbs.ts";

const aliases = { "#core/*": "./core/*", "#agent/*": "./agent/*" };
const source = (path: string, ...imports: readonly string[]) => ({
  path,
  text: imports.map((target) => `import { x } from "${target}";`).join("\n"),
});

test("a room is a folder of the first two levels", () => {
  expect(["agent/main.ts", "agent/disk/slots.ts", "core/render/nft/line.ts"].map(roomOf)).toEqual([
    "agent/",
    "agent/disk",
    "core/render",
  ]);
});

test("arrows that lead back to where they began are circular, and no others are", () => {
  const arrows = arrowsBetween(
    [
      source("agent/a/x.ts", "#agent/b/y.ts", "./z.ts", "zod"),
      source("agent/b/y.ts", "../c/w.ts"),
      source("agent/c/w.ts", "#agent/a/x.ts", "#core/json.ts"),
    ],
    aliases,
  );
  expect(arrows).toHaveLength(4);
  expect(circularArrows(arrows).map(({ from, to }) => `${from} ${to}`)).toEqual([
    "agent/a agent/b",
    "agent/b agent/c",
    "agent/c agent/a",
  ]);
});

test("functions are found by their names, however they are written", () => {
  const text = `export function readA(): number {\n  return 1;\n}\nconst b = (x: number) => x;\nclass C {\n  d(): void {}\n}\nconst e = 1;`;
  expect(namedFunctions({ path: "x.ts", text })).toEqual([
    { name: "readA", lines: 3, isExpression: false },
    { name: "b", lines: 1, isExpression: true },
    { name: "d", lines: 1, isExpression: false },
  ]);
  expect(["readA", "isIll", "listed", "standing"].map(isVerbFirst)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test("a function's name begins with a verb, a plain accessor's need not, and retired words come back in none", () => {
  const retired = retiredWords(
    "x\n| retired | say |\n|---|---|\n| `standing` | status |\n\n| `other` | no |",
  );
  expect([...retired]).toEqual(["standing"]);
  const fault = (name: string, isAccessor = false) => nameFault(name, isAccessor, retired);
  expect(fault("readRows")).toBeUndefined();
  expect(fault("portsOf")).toBeUndefined();
  expect(fault("iso", true)).toBeUndefined();
  expect(fault("listed", true)).toBe("is a participle");
  expect(fault("rowDifferences")).toBe("does not begin with a verb");
  expect(fault("readHostLevels")).toBeUndefined();
  expect(fault("readStanding")).toBe('"standing" is retired (DESIGN §3)');
  const declaring = {
    path: "x.ts",
    text: "interface Standing {} type A = 1; class B { #toldAlready = 1 } const standing = ({ heard }: C) => { let [look] = [1]; };",
  };
  expect(declaredNames(declaring)).toEqual(["Standing", "A", "B", "toldAlready", "standing"]);
  expect(declaredNames(declaring).map((name) => declaredFault(name, retired))).toEqual([
    '"standing" is retired (DESIGN §3)',
    undefined,
    undefined,
    undefined,
    '"standing" is retired (DESIGN §3)',
  ]);
});
