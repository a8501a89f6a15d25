/** Pins: a host that a person keeps where it is. What is withheld from it meanwhile stays so until a rollout brings it. */
import type * as z from "zod";
import type { PinRequest } from "#schema/api/hosts.ts";
import type { Ports } from "#worker/ports/index.ts";
import { notDeclared, Refused } from "#worker/lib/refused.ts";
import { writeAudited, type Author, nameOf } from "#worker/db/audit.ts";
import { findRow } from "#worker/intent/index.ts";
import { addPin, readReleases, removePin } from "./level-rows.ts";

/** Pinning a pinned host says why anew. @throws Refused `not_found` for a host that is not declared */
export const pin = (
  { sql, clock }: Ports,
  author: Author,
  host: string,
  {
    reason,
    on_behalf_of = null,
  }: Omit<z.infer<typeof PinRequest>, "on_behalf_of"> & {
    readonly on_behalf_of?: string | null | undefined;
  },
): Promise<void> =>
  writeAudited(sql, async () => {
    if ((await findRow(sql, "host", host)) === undefined)
      throw new Refused("not_found", notDeclared);
    const at = clock.now();
    const statements = [addPin(sql, host, { at, by: nameOf(author), reason })];
    const body = { host, reason };
    const entry = {
      at,
      actor: author,
      on_behalf_of,
      action: "host.pin" as const,
      revision: null,
      body,
    };
    return { write: true, statements, entry, result: undefined };
  });

/** A host that is not pinned stays so. @throws Refused `not_found` for one that is neither declared nor pinned */
export const unpin = ({ sql, clock }: Ports, author: Author, host: string): Promise<void> =>
  writeAudited(sql, async () => {
    if (!(await readReleases(sql)).pinned.has(host)) {
      if ((await findRow(sql, "host", host)) === undefined)
        throw new Refused("not_found", notDeclared);
      return { write: false, result: undefined };
    }
    const plain = { at: clock.now(), actor: author, on_behalf_of: null, revision: null };
    const entry = { ...plain, action: "host.unpin" as const, body: { host } };
    return { write: true, statements: [removePin(sql, host)], entry, result: undefined };
  });
