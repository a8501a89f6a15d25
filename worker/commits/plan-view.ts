/** The answer to a plan: rows before and after, and for each host the rules and set elements that come and go. */
import type { HostPlan, Plan } from "#schema/api/commits.ts";
import type { Kind } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import type { Lines, SetDifference } from "#core/simulate/difference.ts";
import type { HostPreview, Preview } from "./preview.ts";
import { bodyOf } from "#worker/intent/index.ts";
import { heldView } from "./views.ts";
import { warningView } from "#worker/http/views.ts";

export const planView = ({
  revision,
  changes,
  hosts,
  held,
  behind,
  ownerOf,
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
  behind: behind.map(({ revisions, hosts: lacking }) => ({
    revisions: [...revisions],
    hosts: [...lacking],
  })),
  names: namesIn(hosts, ownerOf),
  warnings: warnings.map(warningView),
});

const bodyOrNull = (kind: Kind, body: string | null) =>
  body === null ? null : bodyOf({ kind, body });

const hostView = ({
  host,
  before,
  after,
  opens,
  closes,
  more,
  scopes,
  rules,
  sets,
  other,
}: HostPreview): HostPlan => ({
  host,
  before,
  after,
  opens,
  closes,
  more,
  scopes: linesView(scopes),
  rules: linesView(rules),
  sets: sets.map(setView),
  other: [...other],
});

/** Owners of the addresses that a reader sees. */
function namesIn(
  hosts: readonly HostPreview[],
  ownerOf: (address: string) => string | undefined,
): Record<string, string> {
  const shown = hosts.flatMap(({ opens, closes, sets }) => [
    ...[...opens, ...closes].flatMap(({ from, to }) => [...from.addresses, ...to.addresses]),
    ...sets.map(setView).flatMap(({ added, removed }) => [...added, ...removed]),
  ]);
  return Object.fromEntries(
    [...new Set(shown)].sort(compareText).flatMap((address) => {
      const owner = ownerOf(address);
      return owner === undefined ? [] : [[address, owner]];
    }),
  );
}

const linesView = ({ added, removed }: Lines) => ({ added: [...added], removed: [...removed] });

const shownMax = 20;

const setView = ({ name, added, removed }: SetDifference) => ({
  name,
  added: added.slice(0, shownMax),
  removed: removed.slice(0, shownMax),
  added_count: added.length,
  removed_count: removed.length,
});
