/** From what a commit came to, to what the API answers (schema/api). */
import type { Committed } from "#schema/api/commits.ts";
import { warningView } from "#worker/http/views.ts";
import type { CommitResult } from "./commit.ts";
import type { HeldHost } from "./project.ts";

export const heldView = (held: readonly HeldHost[], revision: number) => ({
  staged: held.filter(({ as }) => as === "staged").map(({ host }) => host),
  pinned: held.filter(({ as }) => as === "pinned").map(({ host }) => host),
  waiting: held
    .filter(({ as }) => as === "waiting")
    .map(({ host, because }) => ({ host, revision, because })),
});

export const commitView = ({
  revision,
  changed,
  rows,
  hosts,
  held,
  warnings,
}: Extract<CommitResult, { ok: true }>): Committed => ({
  revision,
  changed,
  rows: [...rows],
  hosts: [...hosts],
  ...heldView(held, revision),
  warnings: warnings.map(warningView),
});
