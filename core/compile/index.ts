/**
 * The compiler: all intent at one revision in, one ruleset per declared host out, or every reason why not.
 * Pure, and blind to the order of rows: equal intent gives equal canonical bytes (law 4).
 */
import type { Diagnostic } from "#schema/refusals.ts";
import type { Snapshot } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { catalogOf } from "./catalog.ts";
import { diagnose } from "./diagnose.ts";
import { directoryOf } from "./directory.ts";
import { makeHostCompiler } from "./host.ts";

export type { ChangedRow } from "./affected.ts";
export { findAffectedHosts } from "./affected.ts";
export { findReferences } from "./references.ts";

/** Rulesets by host key, ordered by it; or all diagnostics, warnings among them, sorted by path, then code. */
export type Compiled =
  | {
      readonly ok: true;
      readonly rulesets: ReadonlyMap<string, Ruleset>;
      readonly warnings: readonly Diagnostic[];
    }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Compiles a snapshot whose bodies passed schema/intent.ts, for every host. */
export const compile = (snapshot: Snapshot): Compiled =>
  compileHosts(snapshot, snapshot.hosts.keys());

/** The same for some hosts. All of intent is diagnosed, whichever hosts are asked for; undeclared ones are left out. */
export function compileHosts(snapshot: Snapshot, hosts: Iterable<string>): Compiled {
  const prepared = prepare(snapshot);
  if (!prepared.ok) return prepared;
  const declared = [...new Set(hosts)].filter((host) => snapshot.hosts.has(host)).sort(compareText);
  const rulesets = new Map(declared.map((host) => [host, prepared.ruleset(host)]));
  return { ok: true, rulesets, warnings: prepared.warnings };
}

export type Prepared =
  | {
      readonly ok: true;
      /** Of one declared host; to hold one ruleset at a time where a whole fleet is too much. */
      readonly ruleset: (host: string) => Ruleset;
      readonly warnings: readonly Diagnostic[];
    }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Reads and diagnoses a snapshot once, to compile host by host. */
export function prepare(snapshot: Snapshot): Prepared {
  const directory = directoryOf(snapshot);
  const catalog = catalogOf(directory);
  const diagnostics = diagnose(directory, catalog);
  if (diagnostics.some((diagnostic) => diagnostic.severity === "error"))
    return { ok: false, diagnostics };
  return { ok: true, ruleset: makeHostCompiler(directory, catalog), warnings: diagnostics };
}
