/**
 * The compiler: all intent at one revision in, one ruleset per declared host out, or every reason why not.
 * Pure, and blind to the order of rows: equal intent gives equal canonical bytes (law 4).
 */
import type { Diagnostic } from "#schema/errors.ts";
import type { Member, Snapshot } from "#schema/intent.ts";
import { splitMemberKey } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { diagnose } from "./diagnose.ts";
import type { OverlayIntent } from "./overlay.ts";
import { compileOverlay } from "./overlay.ts";

/** Rulesets by host key, ordered by it; or all diagnostics, warnings among them, sorted by path, then code. */
export type Compiled =
  | {
      readonly ok: true;
      readonly rulesets: ReadonlyMap<string, Ruleset>;
      readonly warnings: readonly Diagnostic[];
    }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Compiles a snapshot whose bodies passed schema/intent.ts. A host without overlays gets `emptyRuleset`. */
export function compile(snapshot: Snapshot): Compiled {
  const diagnostics = diagnose(snapshot);
  if (diagnostics.some((diagnostic) => diagnostic.severity === "error")) return { ok: false, diagnostics };
  const overlays = Map.groupBy(overlayIntents(snapshot), (overlay) => overlay.body.host);
  const rulesets = new Map(
    [...snapshot.hosts.keys()]
      .sort(compareText)
      .map((host) => [host, merge((overlays.get(host) ?? []).map(compileOverlay))]),
  );
  return { ok: true, rulesets, warnings: diagnostics };
}

function overlayIntents(snapshot: Snapshot): readonly OverlayIntent[] {
  const members = Map.groupBy(snapshot.members, ([key]) => splitMemberKey(key).overlay);
  const bodies = (entries: readonly (readonly [string, Member])[]) => entries.map(([, member]) => member);
  return [...snapshot.overlays]
    .sort(([a], [b]) => compareText(a, b))
    .map(([key, body]) => ({ key, body, members: bodies(members.get(key) ?? []) }));
}

/** Parts come ordered by scope; sets and class maps are ordered by name across them. */
function merge(parts: readonly Ruleset[]): Ruleset {
  const byName = (a: { readonly name: string }, b: { readonly name: string }) => compareText(a.name, b.name);
  return {
    scopes: parts.flatMap((part) => part.scopes),
    sets: parts.flatMap((part) => part.sets).sort(byName),
    classes: parts.flatMap((part) => part.classes).sort(byName),
    rules: parts.flatMap((part) => part.rules),
  };
}
