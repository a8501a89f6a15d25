/**
 * The golden directories, `test/golden/NN-name/`: what each holds and how it is compiled and rendered. Services may
 * stand in a catalog.yaml as people write it, beside the other rows.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import * as z from "zod";
import { compile } from "#core/compile/index.ts";
import { emptyInventory, render, transaction } from "#core/render/index.ts";
import { Guard } from "#schema/guard.ts";
import type { Snapshot } from "#schema/intent.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { IntentRows, snapshotOf } from "./intent.ts";
import type { VerdictLine } from "./verdicts.ts";
import { parseVerdicts } from "./verdicts.ts";

export interface Golden {
  readonly name: string;
  readonly directory: string;
  readonly snapshot: Snapshot;
  readonly rulesets: ReadonlyMap<string, Ruleset>;
  readonly verdicts: readonly VerdictLine[];
}

/** The guard every golden is rendered with. */
export const goldenGuard: Guard = Guard.parse({
  management: {
    interfaces: ["mgmt0"],
    allow: [
      { cidr: "192.0.2.0/24", proto: "tcp", port: 22 },
      { cidr: "2001:db8:1::/64", proto: "tcp", port: 22 },
    ],
  },
});

/** What `write.ts` writes: file name to content, two files a host. @throws when the renderer refuses */
export function derivedFiles(golden: Golden): ReadonlyMap<string, string> {
  return new Map(
    [...golden.rulesets].flatMap(([host, ruleset]) => {
      const rendered = render(ruleset, goldenGuard);
      if (!rendered.ok) throw new Error(`${golden.name} ${host}: ${rendered.message}`);
      return [
        [`${host}.ruleset.json`, `${JSON.stringify(ruleset, null, 2)}\n`],
        [`${host}.nft`, transaction(rendered.program, emptyInventory)],
      ] as const;
    }),
  );
}

/** Services, where a golden has them as YAML. */
export const catalogFile = "catalog.yaml";

const root = join(import.meta.dirname, "..", "golden");

/** All goldens, by name. @throws when one does not compile: goldens hold what works, diagnostics have unit tests */
export function readGoldens(): readonly Golden[] {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => readGolden(entry.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readGolden(name: string): Golden {
  const directory = join(root, name);
  const read = (file: string) => readFileSync(join(directory, file), "utf8");
  const catalog: unknown = existsSync(join(directory, catalogFile)) ? parse(read(catalogFile)) : {};
  const services = Object.entries(z.record(z.string(), z.unknown()).parse(catalog));
  const rows = [
    ...z.array(z.unknown()).parse(JSON.parse(read("intent.json"))),
    ...services.map(([key, body]) => ({ kind: "service", key, body })),
  ];
  const snapshot = snapshotOf(IntentRows.parse(rows));
  const compiled = compile(snapshot);
  if (!compiled.ok) throw new Error(`${name}: ${JSON.stringify(compiled.diagnostics)}`);
  const verdicts = parseVerdicts(read("verdicts.txt"), snapshot);
  return { name, directory, snapshot, rulesets: compiled.rulesets, verdicts };
}
