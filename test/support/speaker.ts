/** Who speaks for a host: the key that it has, as its reports would be sent. */
import type { Sql } from "#worker/ports/index.ts";
import { findIdentity, type Speaker } from "#worker/hosts/identity-rows.ts";

/** A host without a key speaks under none. */
export async function speakerOf(sql: Sql, host: string): Promise<Speaker> {
  return { host, enrolment: (await findIdentity(sql, host))?.enrolment ?? null };
}
