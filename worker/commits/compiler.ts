/** Rulesets of one snapshot, host by host: nothing is compiled before the first is asked for. Pure but for that. */
import { type Prepared, prepare } from "#core/compile/index.ts";
import type { Snapshot } from "#schema/intent.ts";
import type { Ruleset } from "#schema/ruleset.ts";

/** Undefined for a host that is not declared. */
export type Compiler = (host: string) => Ruleset | undefined;

export function compilerOf(snapshot: Snapshot): Compiler {
  let prepared: Prepared | undefined;
  return (host) => {
    if (!snapshot.hosts.has(host)) return undefined;
    prepared ??= prepare(snapshot);
    return prepared.ok ? prepared.ruleset(host) : undefined;
  };
}
