/** The answer to a plan: rows before and after, and for each host the rules and set elements that come and go. */
import type { HostPlan, Plan } from "#schema/api/commits.ts";
import type { Kind } from "#schema/intent.ts";
import type { Lines, SetDifference } from "#simulate/difference.ts";
import type { HostPreview, Preview } from "../writer/preview.ts";
import { bodyOf, heldView } from "./views.ts";

export const planView = ({
  revision,
  changes,
  hosts,
  held,
  warnings,
}: Extract<Preview, { readonly ok: true }>): Plan => ({
  revision,
  changes: changes.map((change) => ({
    ...change,
    before: bodyOrNull(change.kind, change.before),
    after: bodyOrNull(change.kind, change.after),
  })),
  hosts: hosts.map(hostView),
  ...heldView(held, revision + 1),
  warnings: [...warnings],
});

const bodyOrNull = (kind: Kind, body: string | null) => (body === null ? null : bodyOf({ kind, body }));

const hostView = ({ host, before, after, scopes, rules, sets, other }: HostPreview): HostPlan => ({
  host,
  before,
  after,
  scopes: linesView(scopes),
  rules: linesView(rules),
  sets: sets.map(setView),
  other: [...other],
});

const linesView = ({ added, removed }: Lines) => ({ added: [...added], removed: [...removed] });

const shownMax = 20;

const setView = ({ name, added, removed }: SetDifference) => ({
  name,
  added: added.slice(0, shownMax),
  removed: removed.slice(0, shownMax),
  added_count: added.length,
  removed_count: removed.length,
});
