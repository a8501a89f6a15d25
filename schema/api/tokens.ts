/** API tokens. A token itself is shown once, when it is made. */
import * as z from "zod";
import { Key } from "../primitives.ts";

/** Scopes of an API token. A child token's scopes and expiry are bounded by its maker's, and it ends with it. */
export const TokenScope = z.enum([
  "intent:read",
  "intent:write",
  "rollouts:write",
  "rollouts:approve",
  "hosts:enrol",
  "audit:read",
  "root:write",
  "targets:sign",
  "tokens:write",
]);
export type TokenScope = z.infer<typeof TokenScope>;

/** With neither `ttl_seconds` nor `expires_at` the token lives as long as its maker. */
export const NewTokenRequest = z
  .strictObject({
    name: Key,
    scopes: z.array(TokenScope).min(1),
    /** Seconds from now, a minute to ten years. */
    ttl_seconds: z.int().min(60).max(315_360_000).optional(),
    expires_at: z.iso.datetime({ error: "expected a UTC time such as 2026-12-31T23:59:59Z" }).optional(),
  })
  .refine((request) => request.ttl_seconds === undefined || request.expires_at === undefined, {
    error: "expected ttl_seconds or expires_at, not both",
  });
export type NewTokenRequest = z.infer<typeof NewTokenRequest>;

/** `parent`: id of the token that made it; null for one that the first operator token made. */
export const TokenItem = z.object({
  id: z.string(),
  parent: z.string().nullable(),
  name: z.string(),
  scopes: z.array(TokenScope),
  created_at: z.iso.datetime(),
  created_by: z.string(),
  expires_at: z.iso.datetime().nullable(),
  revoked_at: z.iso.datetime().nullable(),
});
export type TokenItem = z.infer<typeof TokenItem>;

export const NewToken = z.object({ ...TokenItem.shape, token: z.string() });
