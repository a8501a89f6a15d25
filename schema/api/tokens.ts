/** API tokens. A token itself is shown once, when it is made. */
import * as z from "zod";
import { Key, list, Time } from "../primitives.ts";
import { many, Word } from "./common.ts";

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
    scopes: list(TokenScope, { min: 1, max: TokenScope.options.length }),
    /** Seconds from now, a minute to ten years. */
    ttl_seconds: z.int().min(60).max(315_360_000).optional(),
    expires_at: Time.optional(),
  })
  .refine((request) => request.ttl_seconds === undefined || request.expires_at === undefined, {
    error: "expected ttl_seconds or expires_at, not both",
  });
export type NewTokenRequest = z.infer<typeof NewTokenRequest>;

/** `parent`: id of the token that made it; null for one that the first operator token made. */
export const TokenItem = z.object({
  id: Word,
  parent: Word.nullable(),
  name: Word,
  scopes: many(TokenScope),
  created_at: Time,
  created_by: Word,
  expires_at: Time.nullable(),
  revoked_at: Time.nullable(),
});
export type TokenItem = z.infer<typeof TokenItem>;

/** Who asks. `token`: the token's id; null for the first operator token, which is no row. */
export const Whoami = z.object({
  name: Word,
  token: Word.nullable(),
  scopes: many(TokenScope),
  expires_at: Time.nullable(),
});
export type Whoami = z.infer<typeof Whoami>;

export const NewToken = z.object({ ...TokenItem.shape, token: Word });
