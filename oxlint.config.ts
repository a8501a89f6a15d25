/**
 * The walls that types cannot see (DESIGN §4), and strictness. `tsc -b` holds the walls between rooms; test/walls breaks
 * both. An override replaces a rule's options whole, so each room's list is made complete here, from the same parts.
 */
import { defineConfig } from "oxlint";

interface Ban {
  readonly name: string;
  readonly message: string;
}
type Pattern =
  | { readonly group: string[]; readonly message: string; readonly importNames?: string[] }
  | { readonly regex: string; readonly message: string };

const imports = (...patterns: Pattern[]) => ["error", { patterns }] as const;
const globals = (...bans: Ban[]) => ["error", { checkGlobalObject: true, globals: bans }] as const;
const each = (message: string, ...names: string[]): Ban[] =>
  names.map((name) => ({ name, message }));

const bytewise = {
  property: "localeCompare",
  message: "Same rows, same bytes: compareText of #schema/order.ts.",
};
const properties = (...bans: { object?: string; property: string; message: string }[]) =>
  ["error", bytewise, ...bans] as const;

const noSql: Pattern = {
  group: ["drizzle-orm", "drizzle-orm/**"],
  message: "Only worker/db and a feature's rows.ts speak SQL.",
};
const noNode: Pattern = { group: ["node:*"], message: "Only worker/standalone may use Node." };
const noServer: Pattern = {
  group: ["drizzle-orm", "drizzle-orm/**", "hono", "hono/**", "@hono/**"],
  message: "The agent is a client: no ORM, no server.",
};
const noSpawn: Pattern = {
  group: ["node:child_process", "child_process"],
  message: "Only agent/process/spawn.ts spawns.",
};
const noShell: Pattern = {
  group: ["node:child_process", "child_process"],
  importNames: ["exec", "execSync"],
  message: "Nothing reaches a shell: spawn with an argument array.",
};
const noTimers: Pattern = {
  group: ["node:timers", "node:timers/**", "timers", "timers/**"],
  message: "Timers live in agent/cycle/loop.ts and agent/transport.",
};

/** What several features share; everything else in worker/ is a feature's own, behind its index.ts. */
const shared = ["lib", "ports", "http", "db"];
const doorsOnly: Pattern = {
  group: ["#worker/*/**", "!#worker/*/index.ts", ...shared.map((room) => `!#worker/${room}/**`)],
  message: "Another feature is used by its door: #worker/FEATURE/index.ts.",
};
/** A feature's own files are reached by `./`, so no path climbs into another one. */
const noClimbing: Pattern = {
  group: ["../**"],
  message: "Another folder is named by its room: #worker/…",
};

const notOnWorkers: Ban[] = [
  { name: "process", message: "Not on Workers: take it through worker/ports." },
  { name: "Buffer", message: "Not on Workers: Uint8Array and TextEncoder." },
  { name: "require", message: "Not on Workers." },
];

const pureGlobals: Ban[] = [
  { name: "Date", message: "No clock in a pure room: take the time as a parameter." },
  { name: "performance", message: "No clock in a pure room." },
  ...each("No timers in a pure room.", "setTimeout", "setInterval", "setImmediate"),
  { name: "queueMicrotask", message: "No scheduling in a pure room." },
  { name: "crypto", message: "No randomness in a pure room." },
  { name: "Intl", message: "No locale in a pure room." },
  { name: "process", message: "No environment in a pure room." },
  { name: "Buffer", message: "No Node in a pure room: Uint8Array." },
  ...each("No I/O in a pure room.", "fetch", "require"),
  { name: "globalThis", message: "A pure room names what it uses." },
];

/** The same value in gives the same value out, on any machine. An allowlist of imports. */
const pure = (rooms: string) =>
  ({
    "no-console": "error",
    "import/no-nodejs-modules": "error",
    "no-restricted-imports": imports(
      {
        // Every bare specifier but zod, ipaddr.js and @tufjs/canonical-json (this engine has no look-ahead).
        regex: "^([^.#@iz]|@[^t]|@tufjs/[^c]|i[^p]|z[^o]|zo[^d]|zod.)",
        message: "A pure room sees its own files, rooms below and pure libraries.",
      },
      { regex: rooms, message: "A pure room sees its own files and rooms below." },
    ),
    "no-restricted-globals": globals(...pureGlobals),
    "no-restricted-properties": properties(
      { object: "Math", property: "random", message: "No randomness in a pure room." },
      ...["toLocaleString", "toLocaleLowerCase", "toLocaleUpperCase"].map((property) => ({
        property,
        message: "No locale in a pure room.",
      })),
    ),
  }) as const;

export default defineConfig({
  plugins: ["eslint", "typescript", "unicorn", "oxc", "import", "vitest"],
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: "error" },
  categories: { correctness: "error" },
  ignorePatterns: ["node_modules", "dist", ".types", ".wrangler", ".portcullis"],
  rules: {
    eqeqeq: ["error", "always"],
    "no-empty": ["error", { allowEmptyCatch: false }],
    "no-shadow": "error",
    "no-eval": "error",
    "no-new-func": "error",
    "no-var": "error",
    "prefer-const": "error",
    "default-case-last": "error",
    "max-lines": ["error", { max: 430 }],
    "max-lines-per-function": ["error", { max: 85, skipBlankLines: true, skipComments: true }],
    "import/no-cycle": ["error", { ignoreTypes: false }],
    "import/no-default-export": "error",
    "typescript/await-thenable": "error",
    "typescript/ban-ts-comment": "error",
    "typescript/consistent-type-imports": "error",
    "typescript/no-explicit-any": "error",
    "typescript/no-floating-promises": "error",
    "typescript/no-misused-promises": "error",
    "typescript/no-non-null-assertion": "error",
    "typescript/no-unsafe-argument": "error",
    "typescript/no-unsafe-assignment": "error",
    "typescript/no-unsafe-call": "error",
    "typescript/no-unsafe-member-access": "error",
    "typescript/no-unsafe-return": "error",
    "typescript/only-throw-error": "error",
    "typescript/triple-slash-reference": ["error", { path: "never", types: "never", lib: "never" }],
    "typescript/switch-exhaustiveness-check": [
      "error",
      { considerDefaultExhaustiveForUnions: true },
    ],
    "no-restricted-properties": properties(),
    "no-restricted-imports": imports(noSql),
  },
  overrides: [
    { files: ["schema/**/*.ts"], rules: pure("^#[^s]") },
    { files: ["core/**/*.ts"], rules: pure("^#[^sc]|^#core/[^/]+/|^#cli") },
    { files: ["agent/machine/**/*.ts"], rules: pure("^#[^sc]|^#cli") },
    {
      // The worker runs on Workers: the Workers types declare process and Buffer as any, so tsc stays silent.
      files: ["worker/**/*.ts"],
      excludeFiles: ["worker/standalone/**"],
      rules: {
        "no-console": ["error", { allow: ["error"] }],
        "import/no-nodejs-modules": "error",
        "no-restricted-imports": imports(noSql, noNode, doorsOnly, noClimbing),
        "no-restricted-globals": globals(...notOnWorkers),
        "no-restricted-properties": properties(
          { object: "Date", property: "now", message: "The time comes from the Clock port." },
          { object: "Math", property: "random", message: "crypto.getRandomValues." },
          { property: "prepare", message: "Only worker/db and a feature's rows.ts speak SQL." },
        ),
      },
    },
    {
      files: ["worker/db/**/*.ts", "worker/**/rows.ts", "worker/**/*-rows.ts"],
      rules: {
        "no-restricted-imports": imports(noNode, doorsOnly, noClimbing),
        "no-restricted-globals": globals(
          { name: "Date", message: "The time comes from the Clock port." },
          ...notOnWorkers,
        ),
        "no-restricted-properties": properties(),
      },
    },
    {
      // Adapters are where a port meets the machine's clock.
      files: ["worker/env.ts", "worker/index.ts"],
      rules: { "no-restricted-properties": "off", "import/no-default-export": "off" },
    },
    {
      files: ["worker/standalone/**/*.ts", "cli/**/*.ts", "args/**/*.ts", "tls/**/*.ts"],
      rules: { "no-restricted-imports": imports(noSql, noSpawn) },
    },
    {
      // The agent: one place with timers, one place that spawns, and only node:http for the network.
      files: ["agent/**/*.ts"],
      excludeFiles: ["agent/machine/**"],
      rules: {
        "no-restricted-imports": imports(noServer, noSpawn, noTimers),
        "no-restricted-globals": globals(
          ...each(
            "Timers live in agent/cycle/loop.ts and agent/transport.",
            "setTimeout",
            "setInterval",
            "setImmediate",
          ),
          { name: "fetch", message: "agent/transport: fetch has no caps and costs 17 MB." },
        ),
      },
    },
    {
      files: ["agent/cycle/loop.ts", "agent/transport/**/*.ts"],
      rules: {
        "no-restricted-globals": "off",
        "no-restricted-imports": imports(noServer, noSpawn),
      },
    },
    {
      files: ["agent/process/spawn.ts"],
      rules: { "no-restricted-globals": "off", "no-restricted-imports": imports(noShell) },
    },
    {
      files: ["lab/**/*.ts", "test/**/*.ts", "*.mjs"],
      rules: { "no-restricted-imports": imports(noShell) },
    },
    {
      // What the API says is declared once, in schema/api; a client that says it again reads something else.
      files: ["cli/**/*.ts", "lab/**/*.ts"],
      excludeFiles: [
        "cli/profile/**",
        "lab/net/drops.ts",
        "lab/net/kernel.ts",
        "lab/net/prober-process.ts",
        "lab/net/state.ts",
      ],
      rules: {
        "no-restricted-properties": properties(
          ...["object", "strictObject", "looseObject", "record"].map((property) => ({
            object: "z",
            property,
            message: "Answers are declared in schema/api.",
          })),
        ),
      },
    },
    {
      files: ["*.mjs"],
      rules: {
        "typescript/no-unsafe-argument": "off",
        "typescript/no-unsafe-assignment": "off",
        "typescript/no-unsafe-call": "off",
        "typescript/no-unsafe-member-access": "off",
        "typescript/no-unsafe-return": "off",
      },
    },
    {
      // A suite is one long function of many small ones.
      files: ["test/**/*.test.ts"],
      rules: {
        "max-lines-per-function": "off",
        "vitest/expect-expect": [
          "error",
          { assertFunctionNames: ["expect", "expect*", "fc.assert", "assert*"] },
        ],
        "vitest/valid-expect": ["error", { maxArgs: 2 }],
        // A property may hold in two ways; the assertion count is fast-check's business.
        "vitest/no-conditional-expect": "off",
        // A hook asserts what its tests stand on.
        "vitest/no-standalone-expect": "off",
        // Vitest's asymmetric matchers are typed any.
        "typescript/no-unsafe-assignment": "off",
        "typescript/require-array-sort-compare": "off",
      },
    },
    {
      files: ["*.config.ts", "test/layers/reporter.ts"],
      rules: { "import/no-default-export": "off" },
    },
  ],
});
