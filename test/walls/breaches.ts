/**
 * Every wall of the house (DESIGN §4), as the smallest file that breaks it, and who must see it: `tsc -b` by error code
 * (TS6307: a file of a room that is not referenced; the others: a name that the room's types do not hold) or oxlint by
 * rule. Imports aim at files that exist, so that a breach is never mistaken for a typing error.
 */
export interface Breach {
  readonly title: string;
  /** The folder that gets the file, or a file that gets the lines appended. */
  readonly at: string;
  readonly lines: string;
  /** Any one of these codes proves that the wall stands. */
  readonly seenAs: readonly string[];
}

const otherRoom = ["TS6307"];
const noSuchName = ["TS2304", "TS2307", "TS2580", "TS2584", "TS2591", "TS2867"];
const bannedImport = ["eslint(no-restricted-imports)"];
const bannedGlobal = ["eslint(no-restricted-globals)"];
const bannedProperty = ["eslint(no-restricted-properties)"];
const nodeImport = ["import(no-nodejs-modules)"];

const breach = (title: string, at: string, lines: string, seenAs: readonly string[]): Breach => ({
  title: `${at}: ${title} (${seenAs[0] ?? "allowed"})`,
  at,
  lines,
  seenAs,
});

const uses = (room: string, target: string, seenAs = otherRoom): Breach =>
  breach(
    `imports ${target}`,
    room,
    `import * as wall from "${target}";\nexport const used: unknown = wall;`,
    seenAs,
  );

const usesType = (room: string, target: string, name: string): Breach =>
  breach(
    `imports the type ${name} of ${target}`,
    room,
    `import type { ${name} } from "${target}";\nexport type Used = ${name};`,
    otherRoom,
  );

const doorOf = (room: string): string => (room === "tuf" ? "read.ts" : "index.ts");

const says = (room: string, expression: string, seenAs: readonly string[]): Breach =>
  breach(`says ${expression}`, room, `export const wall: unknown = ${expression};`, seenAs);

/** What no pure room may do, whichever it is. */
function pure(room: string): readonly Breach[] {
  return [
    uses(room, "node:fs", noSuchName),
    uses(room, "node:fs", nodeImport),
    uses(room, "hono", bannedImport),
    uses(room, "drizzle-orm", bannedImport),
    uses(room, "#worker/ports/index.ts"),
    usesType(room, "#worker/ports/index.ts", "Ports"),
    uses(room, "#lab/main.ts"),
    says(room, "process.env", noSuchName),
    says(room, "Buffer.from([])", noSuchName),
    says(room, 'fetch("http://localhost/")', noSuchName),
    says(room, "crypto.randomUUID()", noSuchName),
    says(room, "Date.now()", bannedGlobal),
    says(room, "new Date().getTime()", bannedGlobal),
    says(room, "globalThis", bannedGlobal),
    says(room, 'new Intl.Collator("de")', bannedGlobal),
    says(room, "Math.random()", bannedProperty),
    says(room, '"a".localeCompare("b")', bannedProperty),
    says(room, "(1).toLocaleString()", bannedProperty),
    breach("logs", room, 'console.log("here");', ["eslint(no-console)"]),
    breach("borrows Node's types", room, '/// <reference types="node" />\nexport {};', [
      "typescript(triple-slash-reference)",
    ]),
  ];
}

/** What a room of core/ may not use, as every other file of the house may. */
const siblings = ["compile", "simulate", "rollout", "render", "tuf"];

export const breaches: readonly Breach[] = [
  ...["schema", "schema/api", "core", ...siblings.map((room) => `core/${room}`)].flatMap(pure),

  uses("schema", "../worker/ports/index.ts"),
  breach(
    "re-exports another room",
    "schema",
    'export * from "#agent/machine/state.ts";',
    otherRoom,
  ),

  uses("core", "#worker/intent/rows.ts"),
  uses("core", "#agent/trust/index.ts"),
  uses("core", "#args/spec.ts"),
  ...siblings.flatMap((room) =>
    siblings
      .filter((other) => other !== room)
      .map((other) => uses(`core/${room}`, `#core/${other}/${doorOf(other)}`, bannedImport)),
  ),
  usesType("core/render", "#agent/machine/state.ts", "State"),

  uses("tls", "#cli/main.ts"),
  usesType("tls", "#agent/machine/state.ts", "State"),
  uses("tls", "node:child_process", bannedImport),

  uses("args", "#core/json.ts"),
  uses("args", "#cli/main.ts"),
  uses("args", "#agent/machine/state.ts"),

  uses("worker", "#agent/trust/index.ts"),
  usesType("worker", "#agent/machine/state.ts", "State"),
  uses("worker", "#cli/main.ts"),
  uses("worker", "#lab/main.ts"),
  uses("worker", "#worker/standalone/index.ts"),
  uses("worker", "node:fs", nodeImport),
  uses("worker", "drizzle-orm", bannedImport),
  says("worker", "process.env", bannedGlobal),
  says("worker", "globalThis.process", bannedGlobal),
  says("worker", "Buffer.from([])", bannedGlobal),
  says("worker", "Date.now()", bannedProperty),
  uses("worker/http", "drizzle-orm/d1", bannedImport),
  uses("worker/rollouts", "drizzle-orm", bannedImport),
  breach(
    "says SQL",
    "worker/rollouts",
    'import type { Sql } from "#worker/ports/index.ts";\nexport const wall = (sql: Sql): unknown => sql.prepare("SELECT 1");',
    bannedProperty,
  ),
  uses("worker/rollouts", "#worker/intent/rows.ts", bannedImport),
  uses("worker/rollouts", "../intent/rows.ts", bannedImport),
  uses("worker/db", "node:sqlite", nodeImport),
  says("worker/db", "new Date().getTime()", bannedGlobal),
  says("worker/db", "process.env", bannedGlobal),
  uses("worker/db", "#worker/intent/rows.ts", bannedImport),
  uses("worker/intent/rows.ts", "node:sqlite", nodeImport),
  says("worker/intent/rows.ts", "new Date().getTime()", bannedGlobal),

  uses("worker/standalone", "#agent/trust/index.ts"),
  uses("worker/standalone", "#cli/main.ts"),
  uses("worker/standalone", "#lab/main.ts"),
  uses("worker/standalone", "node:child_process", bannedImport),

  ...["cli", "lab"].flatMap((room) =>
    ["object", "strictObject", "looseObject"].map((shape) =>
      breach(
        `declares an answer by z.${shape}`,
        room,
        `import * as z from "zod";\nexport const Answer: unknown = z.${shape}({ revision: z.int() });`,
        bannedProperty,
      ),
    ),
  ),

  uses("agent", "#worker/ports/index.ts"),
  usesType("agent", "#worker/ports/index.ts", "Ports"),
  uses("agent", "#worker/signing/index.ts"),
  uses("agent", "#worker/db/tables/index.ts"),
  uses("agent", "#cli/main.ts"),
  uses("agent", "#lab/main.ts"),
  uses("agent", "drizzle-orm", bannedImport),
  uses("agent", "hono", bannedImport),
  uses("agent", "node:child_process", bannedImport),
  uses("agent", "node:timers/promises", bannedImport),
  uses("agent/trust", "node:child_process", bannedImport),
  uses("agent/backend", "node:child_process", bannedImport),
  says("agent", "setTimeout(() => {}, 1)", bannedGlobal),
  says("agent", 'fetch("http://localhost/")', bannedGlobal),
  says("agent/machine/state.ts", "Date.now()", bannedGlobal),
  says("agent/machine/state.ts", "Math.random()", bannedProperty),
  breach(
    "reads a file",
    "agent/machine/state.ts",
    'export { readFileSync as wall } from "node:fs";',
    nodeImport,
  ),
  breach(
    "opens a shell",
    "agent/process/spawn.ts",
    'export { execSync as wall } from "node:child_process";',
    bannedImport,
  ),

  uses("cli", "#worker/ports/index.ts"),
  usesType("cli", "#worker/ports/index.ts", "Ports"),
  uses("cli", "#agent/machine/state.ts"),
  uses("cli", "#lab/main.ts"),
  uses("cli", "node:child_process", bannedImport),
  breach(
    "opens a shell",
    "lab",
    'export { exec as wall } from "node:child_process";',
    bannedImport,
  ),

  breach("drops a promise", "agent", "export function wall(): void {\n  Promise.resolve(1);\n}", [
    "typescript(no-floating-promises)",
  ]),
  breach(
    "forgets a case",
    "worker",
    'export function wall(verdict: "accept" | "drop"): number {\n  switch (verdict) {\n    case "accept":\n      return 1;\n  }\n  return 0;\n}',
    ["typescript(switch-exhaustiveness-check)"],
  ),
];

/** What must stay allowed: a wall that nothing can pass proves nothing. */
export const passages: readonly Breach[] = [
  uses("worker", "#core/render/index.ts", []),
  uses("worker", "#core/compile/index.ts", []),
  uses("worker", "#core/simulate/index.ts", []),
  uses("worker", "#core/rollout/index.ts", []),
  uses("worker/standalone", "node:fs", []),
  uses("worker/standalone", "#worker/app.ts", []),
  uses("worker/db", "drizzle-orm/d1", []),
  uses("worker/rollouts", "#worker/intent/index.ts", []),
  uses("worker/rollouts", "#worker/http/env.ts", []),
  uses("agent", "#core/render/index.ts", []),
  uses("agent", "#core/simulate/index.ts", []),
  uses("agent", "node:fs", []),
  uses("cli", "node:fs", []),
  uses("cli", "#core/simulate/difference.ts", []),
  breach("spawns", "lab", 'export { spawn as wall } from "node:child_process";', []),
  uses("schema", "zod", []),
];
