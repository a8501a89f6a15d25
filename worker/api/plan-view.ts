/** The answer to a plan: rows before and after, and for each host the rules and set elements that come and go. */
import * as z from "zod";
import type { Kind } from "#schema/intent.ts";
import type { SetDifference } from "#simulate/difference.ts";
import type { HostPreview, Preview } from "../writer/preview.ts";
import { Body, bodyOf, HeldView, heldView, KindName, Warning } from "./views.ts";

const Size = z.strictObject({ bundle_sha256: z.string(), rules: z.int(), elements: z.int() });
const Lines = z.array(z.string());

/** `rules` are lines for people; `added` and `removed` of a set are the first twenty, the counts are of all. */
export const PlanView = z.strictObject({
  revision: z.int(),
  changes: z.array(
    z.strictObject({
      op: z.enum(["create", "update", "delete"]),
      kind: KindName,
      key: z.string(),
      before: Body.nullable(),
      after: Body.nullable(),
      source_before: z.string().nullable(),
    }),
  ),
  hosts: z.array(
    z.strictObject({
      host: z.string(),
      before: Size.nullable(),
      after: Size.nullable(),
      rules: z.strictObject({ added: Lines, removed: Lines }),
      sets: z.array(
        z.strictObject({
          name: z.string(),
          added: Lines,
          removed: Lines,
          added_count: z.int(),
          removed_count: z.int(),
        }),
      ),
    }),
  ),
  ...HeldView,
  warnings: z.array(Warning),
});

export const planView = ({
  revision,
  changes,
  hosts,
  held,
  warnings,
}: Extract<Preview, { readonly ok: true }>) => ({
  revision,
  changes: changes.map((change) => ({
    ...change,
    before: bodyOrNull(change.kind, change.before),
    after: bodyOrNull(change.kind, change.after),
  })),
  hosts: hosts.map(hostView),
  ...heldView(held, revision + 1),
  warnings,
});

const bodyOrNull = (kind: Kind, body: string | null) => (body === null ? null : bodyOf({ kind, body }));

const hostView = ({ host, before, after, rules, sets }: HostPreview) => ({
  host,
  before,
  after,
  rules,
  sets: sets.map(setView),
});

const shownMax = 20;

const setView = ({ name, added, removed }: SetDifference) => ({
  name,
  added: added.slice(0, shownMax),
  removed: removed.slice(0, shownMax),
  added_count: added.length,
  removed_count: removed.length,
});
