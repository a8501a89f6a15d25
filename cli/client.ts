/**
 * The control plane over HTTP, for operators' commands. Plain http is for loopback only, because the token travels in
 * every request. Answers are parsed by the schema they should have; a problem becomes one sentence.
 */
import { readFileSync } from "node:fs";
import * as z from "zod";
import { headers } from "#schema/wire.ts";
import { eventsOf, type ServerEvent } from "./events.ts";
import { Failure, UsageError } from "./output.ts";

export interface Client {
  readonly url: string;
  /** @throws Unreachable; Refusal when the control plane refuses; Failure when the answer is not the one expected */
  call<T>(
    method: "GET" | "PUT" | "POST" | "DELETE",
    path: string,
    answer: z.ZodType<T>,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<T>;
  /** The same for an answer that is plain text. */
  text(path: string): Promise<string>;
  /**
   * Server-sent events until the control plane ends them or the connection is cut, which is not told apart.
   * @param seen id of the last event that is known already
   */
  events(path: string, seen: string | undefined): AsyncIterable<ServerEvent>;
}

/** No answer came; the request may have been carried out or not. */
export class Unreachable extends Failure {
  override readonly name = "Unreachable";
}

/** The control plane refused, with a reason that a program may look at. */
export class Refusal extends Failure {
  override readonly name = "Refusal";
  readonly code: string | undefined;
  readonly errors: readonly { readonly path: string; readonly message: string }[];
  readonly requestId: string | undefined;

  constructor(request: string, response: Response, content: unknown) {
    const problem = Problem.safeParse(content).data;
    const requestId = problem?.request_id ?? response.headers.get(headers.requestId) ?? undefined;
    super(`${request}: ${problemText(response.status, problem)}${withRequest(requestId)}`);
    this.code = problem?.code;
    this.errors = problem?.errors ?? [];
    this.requestId = requestId;
  }
}

/** What a person gives the control plane's operators, so that they find the request. */
export const withRequest = (id: string | undefined): string => (id === undefined ? "" : ` [request ${id}]`);

/** Options that every command with a control plane has. */
export const connectionOptions = {
  url: { type: "string" },
  "token-file": { type: "string" },
} as const;

export const connectionHelp = `  --url URL           control plane (default: $PORTCULLIS_URL)
  --token-file FILE   file with an operator token (default: the token in $PORTCULLIS_TOKEN)`;

export interface Connection {
  readonly url?: string | undefined;
  readonly "token-file"?: string | undefined;
}

/** @throws UsageError when there is no URL or token, or one that may not be used */
export function openClient(given: Connection, env: Readonly<NodeJS.ProcessEnv>): Client {
  const base = parseUrl(given.url ?? env["PORTCULLIS_URL"]);
  const token = readToken(given["token-file"], env["PORTCULLIS_TOKEN"]);
  return {
    url: base.href.replace(/\/$/, ""),
    async call(method, path, answer, body, extra = {}) {
      const response = await send(new URL(path, base), method, token, body, extra);
      const content: unknown = await response.json().catch(() => undefined);
      if (!response.ok) throw new Refusal(`${method} ${path}`, response, content);
      const parsed = answer.safeParse(content);
      if (parsed.success) return parsed.data;
      const id = response.headers.get(headers.requestId) ?? undefined;
      throw new Failure(`${method} ${path}: the answer is not one this version knows${withRequest(id)}`);
    },
    async text(path) {
      const response = await send(new URL(path, base), "GET", token, undefined, {});
      const content = await response.text().catch(() => "");
      if (response.ok) return content;
      throw new Refusal(`GET ${path}`, response, parseJson(content));
    },
    async *events(path, seen) {
      const known = seen === undefined ? {} : { "last-event-id": seen };
      const asked = { ...known, accept: "text/event-stream" };
      const response = await send(new URL(path, base), "GET", token, undefined, asked, streamMs);
      if (!response.ok)
        throw new Refusal(`GET ${path}`, response, await response.json().catch(() => undefined));
      if (response.body !== null) yield* eventsOf(response.body);
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function send(
  url: URL,
  method: string,
  token: string,
  body: unknown,
  extra: Readonly<Record<string, string>>,
  milliseconds = timeoutMs,
): Promise<Response> {
  try {
    return await fetch(url, {
      method,
      redirect: "error",
      signal: AbortSignal.timeout(milliseconds),
      headers: { ...extra, authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw new Unreachable(`cannot reach ${url.origin}: ${causeOf(error)}`, { cause: error });
  }
}

const timeoutMs = 60_000;
/** A control plane ends its streams after a minute. */
const streamMs = 120_000;

/** fetch says "fetch failed"; the reason stands in its cause. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown reason";
  return error.cause instanceof Error ? error.cause.message : error.message;
}

const Problem = z.object({
  title: z.string(),
  code: z.string(),
  detail: z.string().optional(),
  request_id: z.string().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

function problemText(status: number, problem: z.infer<typeof Problem> | undefined): string {
  if (problem === undefined) return `HTTP ${status}`;
  const { title, code, detail, errors = [] } = problem;
  const findings = errors.map(({ path, message }) => `${path}: ${message}`);
  return [`${title} (${code})`, ...(detail === undefined ? [] : [detail]), ...findings].join("; ");
}

const loopback: ReadonlySet<string> = new Set(["127.0.0.1", "[::1]", "localhost"]);

function parseUrl(text: string | undefined): URL {
  if (text === undefined) throw new UsageError("no control plane: give --url or set PORTCULLIS_URL");
  const url = URL.parse(text);
  if (url === null) throw new UsageError("the control plane's URL is not a URL");
  if (url.protocol !== "https:" && !(url.protocol === "http:" && loopback.has(url.hostname)))
    throw new UsageError("the control plane's URL must be https, or http on loopback");
  return url;
}

function readToken(file: string | undefined, fromEnv: string | undefined): string {
  const token = (file === undefined ? (fromEnv ?? "") : readTokenFile(file)).trim();
  if (token === "") throw new UsageError("no token: give --token-file or set PORTCULLIS_TOKEN");
  if (!/^[A-Za-z0-9._~+/=-]+$/.test(token))
    throw new UsageError("the token holds characters that no token has");
  return token;
}

function readTokenFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new UsageError(`cannot read the token file ${file}`);
  }
}
