/** Grants of a commit that are over before they begin: they are no error, as an apply of old files must stay possible. */
import type { Change } from "#schema/intent.ts";
import type { Diagnostic } from "#schema/refusals.ts";
import { parseUnixSeconds } from "#schema/time.ts";

/** @param now milliseconds since the Unix epoch. @returns warnings by their place in the commit's body, in its order */
export const expiredGrants = (changes: readonly Change[], now: number): readonly Diagnostic[] =>
  changes.flatMap((change, at) => {
    if (change.op !== "put" || change.kind !== "service") return [];
    return change.body.ingress.flatMap(({ expires_at: end }, i): readonly Diagnostic[] => {
      const seconds = end === undefined ? undefined : parseUnixSeconds(end);
      if (seconds === undefined || seconds * 1000 > now) return [];
      const path = `/changes/${at}/body/ingress/${i}/expires_at`;
      const message = `${end} is past: the grant matches nothing; give it a later time, or take it away`;
      return [{ severity: "warning", code: "already_expired", path, message }];
    });
  });
