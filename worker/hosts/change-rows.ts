/** What the poll path must know about the whole fleet, read as changes since a generation, in one consistent batch. */
import type { D1PreparedStatement } from "@cloudflare/workers-types";
import * as z from "zod";
import type { Sql } from "#worker/ports/index.ts";

const Generation = z.array(z.object({ generation: z.int() }));
const Repositories = z.array(z.object({ host: z.string(), generation: z.int() }));
const Identities = z.array(
  z.object({
    host: z.string(),
    enrolment: z.string(),
    revoked_at: z.int().nullable(),
    generation: z.int(),
  }),
);

export interface Changes {
  readonly generation: number;
  /** Generation of the latest root; 0 before the first. */
  readonly root: number;
  readonly repositories: z.infer<typeof Repositories>;
  readonly identities: z.infer<typeof Identities>;
}

/** Everything that changed after generation `since`; all of it for -1. */
export async function readChangesSince(sql: Sql, since: number): Promise<Changes> {
  const read = (text: string): D1PreparedStatement => sql.prepare(text);
  const [fleet, root, repositories, identities] = await sql.batch([
    read("SELECT generation FROM fleet"),
    read("SELECT coalesce(max(generation), 0) AS generation FROM root"),
    read(`SELECT host, generation FROM repository WHERE generation > ?1`).bind(since),
    read(`SELECT host, enrolment, revoked_at, generation FROM identity WHERE generation > ?1`).bind(
      since,
    ),
  ]);
  const [head] = Generation.parse(fleet?.results);
  const [chain] = Generation.parse(root?.results);
  if (head === undefined || chain === undefined)
    throw new Error("the fleet row is missing: migrations did not run");
  return {
    generation: head.generation,
    root: chain.generation,
    repositories: Repositories.parse(repositories?.results),
    identities: Identities.parse(identities?.results),
  };
}
