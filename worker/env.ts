/**
 * The Cloudflare adapter: bindings, variables and secrets as ports, parsed once. A binding that is missing or malformed
 * is named; its value never is.
 */
import type { D1Database, R2Bucket } from "@cloudflare/workers-types";
import * as z from "zod";
import { Key, Sha256 } from "#schema/primitives.ts";
import { longestLife } from "#schema/tuf.ts";
import { checkBlobs } from "./ports/blobs.ts";
import type { Blobs, Ports } from "./ports/index.ts";
import { Retention } from "./ports/retention.ts";
import { createSigner, SigningKeys, TokenSecret } from "./ports/signer.ts";

const binding = <T>(...methods: readonly (keyof T & string)[]) =>
  z.custom<T>(
    (value) =>
      typeof value === "object" && value !== null && methods.every((method) => method in value),
    { error: "expected a binding" },
  );

const json = z.string().transform((text, ctx): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    ctx.addIssue({ code: "custom", message: "expected JSON" });
    return z.NEVER;
  }
});

const Env = z.object({
  DB: binding<D1Database>("prepare", "batch"),
  BUNDLES: binding<R2Bucket>("get", "put", "list", "delete"),
  /** `{"targets": JWK, "snapshot": JWK, "timestamp": JWK}`, private Ed25519 keys. */
  SIGNING_KEYS: json.pipe(SigningKeys),
  TOKEN_SECRET: TokenSecret,
  ADMIN_TOKEN_SHA256: Sha256,
  FLEET: Key,
  LEASE_SECONDS: z.coerce
    .number()
    .int()
    .min(900)
    .max(longestLife.timestamp / 1000)
    .default(86_400),
  POLL_SECONDS: z.coerce.number().int().min(5).max(900).default(30),
  PORTCULLIS_RELEASE: z.enum(["open", "staged"]).default("open"),
  REPORTS_KEPT: Retention.shape.reports,
  REPORT_DAYS: Retention.shape.reportDays,
  ANSWER_HOURS: Retention.shape.answerHours,
  BUNDLE_DAYS: Retention.shape.blobDays,
});

/** @throws Error that names every binding, variable or secret that is missing or malformed */
export function openEnv(bindings: unknown): Ports {
  const parsed = Env.safeParse(bindings);
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new Error(`the worker is not configured: ${wrong.join("; ")}`);
  }
  const env = parsed.data;
  return {
    sql: env.DB,
    blobs: r2Blobs(env.BUNDLES),
    clock: { now: () => Date.now() },
    signer: createSigner(env.SIGNING_KEYS, env.TOKEN_SECRET),
    settings: {
      fleet: env.FLEET,
      adminTokenSha256: env.ADMIN_TOKEN_SHA256,
      leaseSeconds: env.LEASE_SECONDS,
      pollSeconds: env.POLL_SECONDS,
      release: env.PORTCULLIS_RELEASE,
      retention: {
        reports: env.REPORTS_KEPT,
        reportDays: env.REPORT_DAYS,
        answerHours: env.ANSWER_HOURS,
        blobDays: env.BUNDLE_DAYS,
      },
    },
  };
}

/** R2 checks the hash too as it stores; what is there already is written anew, whatever it is. */
const r2Blobs = (bucket: R2Bucket): Blobs =>
  checkBlobs({
    put: async (sha256, bytes) => {
      await bucket.put(`${folder}${sha256}`, bytes, { sha256 });
    },
    get: async (sha256) => {
      const object = await bucket.get(`${folder}${sha256}`);
      return object === null ? undefined : new Uint8Array(await object.arrayBuffer());
    },
    list: async (after, limit) => {
      const { objects } = await bucket.list({
        prefix: folder,
        startAfter: `${folder}${after}`,
        limit,
      });
      return objects.map(({ key, uploaded }) => ({
        sha256: key.slice(folder.length),
        at: uploaded.getTime(),
      }));
    },
    remove: (sha256) => bucket.delete(`${folder}${sha256}`),
  });

const folder = "bundles/";
