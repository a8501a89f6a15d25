/** A host with a key, without the ceremony: rows as an enrolment leaves them, and the credential that they give. */
import { openHostCredentials } from "#worker/hosts/credential.ts";
import { openFleet } from "#worker/hosts/fleet.ts";
import { insertEnrolment } from "#worker/tokens/invitation-rows.ts";
import { raiseGeneration, readFleet } from "#worker/db/fleet.ts";
import { putIdentity } from "#worker/hosts/identity-rows.ts";
import type { Harness } from "./harness.ts";

/** @returns the name of the enrolment */
export async function enrolHost(h: Pick<Harness, "ports">, host: string): Promise<string> {
  const { sql, clock } = h.ports;
  const at = clock.now();
  const id = crypto.randomUUID();
  const sha256 = id.replaceAll("-", "").repeat(2);
  const times = { created_at: at, expires_at: at, used_at: at, ended_at: null };
  const row = { id, host, sha256, created_by: "test", ...times };
  await sql.batch([
    insertEnrolment(sql, row),
    raiseGeneration(sql),
    putIdentity(sql, { host, public_key: "k".repeat(43), enrolled_at: at, enrolment: id }),
  ]);
  return id;
}

/** Enrols a host. @returns its credential, good for a day */
export async function hostToken(h: Harness, host: string): Promise<string> {
  const enrolment = await enrolHost(h, host);
  const { generation } = await readFleet(h.ports.sql);
  return openHostCredentials(h.ports, openFleet(h.ports)).mint(host, enrolment, generation);
}
