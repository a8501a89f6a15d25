/** The audit chain, verified by the control plane part by part to its end. */
import type { AuditVerified } from "#schema/api/service.ts";
import type { Client } from "./client.ts";

/** Far more parts than a chain has. */
const partsMax = 1_000_000;

/** @param expected a link from before that must still be there; undefined where none was kept */
export async function verifyAudit(
  client: Client,
  expected: { readonly seq: number; readonly hash: string } | undefined,
): Promise<AuditVerified> {
  if (expected !== undefined && !(await hasLink(client, expected)))
    return {
      ok: false,
      seq: expected.seq,
      hash: null,
      message: "expected another hash: the chain was cut or written anew since",
      unproven: 0,
      next_cursor: null,
    };
  let cursor: string | undefined;
  let unproven = 0;
  for (let part = 0; part < partsMax; part += 1) {
    const found: AuditVerified = await client.call("GET /v1/audit/verify", { query: { cursor } });
    unproven += found.unproven;
    if (!found.ok || found.next_cursor === null) return { ...found, unproven };
    cursor = found.next_cursor;
  }
  throw new Error("the audit chain does not end");
}

async function hasLink(
  client: Client,
  { seq, hash }: { readonly seq: number; readonly hash: string },
): Promise<boolean> {
  const { items } = await client.call("GET /v1/audit", {
    query: { limit: 1, cursor: String(seq + 1) },
  });
  return items[0]?.seq === seq && items[0].hash === hash;
}
