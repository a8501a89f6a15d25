/**
 * The agent's side of the wire (schema/wire.ts): proves the host's key for a short-lived token, polls, reports.
 * Decides nothing about rules: bytes go to the trust room, and 401 or 403 only mean "ask again later", never "open".
 * The token lives in memory and is replaced before it runs out, or once when it is refused.
 */
import { randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import { parseStrict, StrictJsonError } from "#core/json.ts";
import { sizeLimits } from "#schema/bundle.ts";
import {
  assertionAudience,
  Confirmation,
  EntityTag,
  formatSeen,
  GenerationTag,
  headers,
  ReportResponse,
  type Seen,
  type TokenRequest,
  TokenResponse,
  Update,
} from "#schema/wire.ts";
import type * as z from "zod";
import type { HostIdentity } from "#agent/disk/identity.ts";
import { Refused } from "#agent/machine/refusal.ts";
import type { Hint, UpdateBytes } from "../trust/index.ts";
import { retryAfterMs } from "./pace.ts";
import { type Call, type Limits, type Reply, send } from "./request.ts";
import { type TrustedTls, readTrustedTls } from "./trusted-ca.ts";

/** Base64 of every file at its largest, and room for the JSON around it. */
const updateBytesMax =
  Math.ceil(
    (sizeLimits.root * sizeLimits.newRoots +
      sizeLimits.timestamp +
      sizeLimits.snapshot +
      sizeLimits.targets +
      sizeLimits.bundle) *
      (4 / 3),
  ) + 4_096;
const smallBytesMax = 16_384;
const assertionSeconds = 60;

export interface PollRequest {
  readonly seen: Seen;
  /** Digest of the bundle held, so that it is not sent again. */
  readonly bundle: string | undefined;
  readonly etag: string | null;
  readonly generation: string | null;
  readonly renew: boolean;
}

export type PollReply =
  | {
      readonly kind: "unchanged";
      readonly generation: string | null;
      readonly pollAfter: string | undefined;
    }
  | {
      readonly kind: "update";
      readonly update: UpdateBytes;
      readonly hint: Omit<Hint, "accepted_at">;
      readonly pollAfter: string | undefined;
    };

export interface Client {
  /** @throws Refused */
  poll(request: PollRequest, now: number, cycle: AbortSignal): Promise<PollReply>;
  /** Shows the control plane that this host reaches it, by a connection of its own. @throws Refused */
  confirm(nonce: string, now: number, cycle: AbortSignal): Promise<void>;
  /**
   * @param report the text of one, sent as it is
   * @returns the highest number of a report that the control plane has; above this report's, it did not take it
   * @throws Refused
   */
  report(report: string, now: number, cycle: AbortSignal): Promise<ReportResponse>;
  /** Milliseconds for which the control plane asked to be left alone with this; 0 where it did not, or they are over. */
  waitMs(what: "poll" | "report"): number;
}

/** A client of one control plane for one host. `url` may differ from the one enrolled at; trust does not rest on it. */
export function openClient(url: string, identity: HostIdentity, limits: Limits): Client {
  return new WireClient(url, identity, limits);
}

interface Token {
  readonly text: string;
  /** Milliseconds since the Unix epoch. */
  readonly renewAt: number;
}

class WireClient implements Client {
  readonly #url: string;
  readonly #identity: HostIdentity;
  readonly #limits: Limits;
  readonly #tls: TrustedTls;
  #token: Token | undefined;
  /** When each may be asked again, by the machine's own count (performance.now); a token is needed for both. */
  readonly #notBefore = { poll: 0, report: 0, token: 0 };

  constructor(url: string, identity: HostIdentity, limits: Limits) {
    this.#url = url;
    this.#identity = identity;
    this.#limits = limits;
    this.#tls = readTrustedTls(identity.ca);
  }

  async poll(request: PollRequest, now: number, cycle: AbortSignal): Promise<PollReply> {
    const reply = await this.#authorized(
      {
        method: "GET",
        url: `${this.#url}/v1/agent/update`,
        headers: pollHeaders(request),
        bodyBytesMax: updateBytesMax,
      },
      now,
      cycle,
    );
    this.#heed("poll", reply);
    const pollAfter = reply.headers[headers.pollAfter.toLowerCase()];
    const generation = headerOf(reply, headers.generation, GenerationTag);
    if (reply.status === 304) return { kind: "unchanged", generation, pollAfter };
    if (reply.status !== 200) throw unexpectedStatus("poll", reply);
    const etag = headerOf(reply, "etag", EntityTag);
    return {
      kind: "update",
      update: decodeUpdate(reply.body),
      hint: { etag, generation },
      pollAfter,
    };
  }

  async report(report: string, now: number, cycle: AbortSignal): Promise<ReportResponse> {
    const reply = await this.#authorized(
      { ...jsonText(report), url: `${this.#url}/v1/agent/report`, bodyBytesMax: smallBytesMax },
      now,
      cycle,
    );
    this.#heed("report", reply);
    if (reply.status < 200 || reply.status > 299) throw unexpectedStatus("report", reply);
    const stored = ReportResponse.safeParse(parseReply(reply.body));
    if (!stored.success) throw new Refused("response_malformed", "expected the number of a report");
    return stored.data;
  }

  waitMs(what: "poll" | "report"): number {
    return Math.max(
      0,
      this.#notBefore[what] - performance.now(),
      this.#notBefore.token - performance.now(),
    );
  }

  #heed(what: "poll" | "report" | "token", { status, headers: sent }: Reply): void {
    const asks = status === 429 || status === 503 || status === 507;
    this.#notBefore[what] = asks ? performance.now() + retryAfterMs(sent["retry-after"]) : 0;
  }

  async confirm(nonce: string, now: number, cycle: AbortSignal): Promise<void> {
    const call = {
      ...json({ nonce } satisfies Confirmation),
      url: `${this.#url}/v1/agent/confirm`,
    };
    const reply = await this.#authorized({ ...call, bodyBytesMax: smallBytesMax }, now, cycle);
    if (reply.status !== 200) throw unexpectedStatus("confirm", reply);
    if (Confirmation.safeParse(parseReply(reply.body)).data?.nonce !== nonce)
      throw new Refused("response_malformed", "expected the nonce back");
  }

  /** Sends with the token; a refused token is replaced once, because a key rotation at the other side ends all of them. */
  async #authorized(call: Call, now: number, cycle: AbortSignal): Promise<Reply> {
    const held = this.#token !== undefined && now < this.#token.renewAt ? this.#token : undefined;
    const first = await this.#withToken(held ?? (await this.#newToken(now, cycle)), call, cycle);
    if (first.status !== 401 || held === undefined) return first;
    return this.#withToken(await this.#newToken(now, cycle), call, cycle);
  }

  #withToken(token: Token, call: Call, cycle: AbortSignal): Promise<Reply> {
    const authorized = {
      ...call,
      headers: { ...call.headers, authorization: `Bearer ${token.text}` },
    };
    return send(authorized, this.#limits, this.#tls, cycle);
  }

  async #newToken(now: number, cycle: AbortSignal): Promise<Token> {
    const request: z.infer<typeof TokenRequest> = {
      grant_type: "client_credentials",
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: await this.#assertion(now),
    };
    const call = {
      ...json(request),
      url: `${this.#url}/v1/agent/token`,
      bodyBytesMax: smallBytesMax,
    };
    const reply = await send(call, this.#limits, this.#tls, cycle);
    this.#heed("token", reply);
    if (reply.status !== 200) throw unexpectedStatus("token", reply);
    const token = TokenResponse.safeParse(parseReply(reply.body));
    if (!token.success) throw new Refused("response_malformed", "expected a token");
    // A tenth early, so that a token never runs out between the check and the use.
    this.#token = { text: token.data.access_token, renewAt: now + 900 * token.data.expires_in };
    return this.#token;
  }

  /** RFC 7523 §3: the host is issuer and subject, the fleet's token endpoint the audience. */
  #assertion(now: number): Promise<string> {
    const seconds = Math.floor(now / 1000);
    const { host, fleet, key } = this.#identity;
    return new SignJWT()
      .setProtectedHeader({ alg: "EdDSA" })
      .setIssuer(host)
      .setSubject(host)
      .setAudience(assertionAudience(fleet))
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + assertionSeconds)
      .setJti(randomUUID())
      .sign(key);
  }
}

/** A header that is sent back as it came; null where there is none, or one of another form: then the next poll fetches all. */
const headerOf = (reply: Reply, name: string, schema: z.ZodType<string>): string | null =>
  schema.safeParse(reply.headers[name.toLowerCase()]).data ?? null;

function pollHeaders(request: PollRequest): Record<string, string> {
  return {
    [headers.seen]: formatSeen(request.seen),
    ...(request.bundle === undefined ? {} : { [headers.bundle]: request.bundle }),
    ...(request.generation === null ? {} : { [headers.generation]: request.generation }),
    ...(request.etag === null ? {} : { "If-None-Match": request.etag }),
    ...(request.renew ? { [headers.renew]: "1" } : {}),
  };
}

type Sent = Pick<Call, "method" | "headers" | "body">;

const jsonText = (body: string): Sent => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body,
});

export const json = (body: unknown): Sent => jsonText(JSON.stringify(body));

/** The envelope is only a container: strict, but every byte in it is still to be verified. */
function decodeUpdate(body: Buffer): UpdateBytes {
  const parsed = Update.safeParse(parseReply(body));
  if (!parsed.success) throw new Refused("response_malformed", "expected an update");
  const { roots, timestamp, snapshot, targets, bundle } = parsed.data;
  const bytes = (text: string): Uint8Array => Buffer.from(text, "base64");
  return {
    roots: roots.map(bytes),
    timestamp: bytes(timestamp),
    snapshot: bytes(snapshot),
    targets: bytes(targets),
    bundle: bundle === undefined ? undefined : bytes(bundle),
  };
}

export function parseReply(body: Buffer): unknown {
  try {
    return parseStrict(body);
  } catch (error) {
    if (error instanceof StrictJsonError)
      throw new Refused("response_malformed", `reply: ${error.message}`);
    throw error;
  }
}

export const unexpectedStatus = (what: string, reply: Reply): Refused =>
  new Refused(
    "http_status",
    `${what}: the control plane answered ${reply.status}${describeNextStep(reply.status)}`,
  );

const describeNextStep = (status: number): string => {
  if (status === 401 || status === 403)
    return "; if it stays so, this host's key or its one-time token is over or revoked: portcullis enrol HOST makes a new one";
  return status === 404 ? "; is this the control plane's URL?" : "";
};
