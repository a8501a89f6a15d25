/**
 * The control plane over HTTP, for operators' commands. Plain http is for loopback only, because the token travels in
 * every request. Answers are parsed by the schema they should have; a problem becomes one sentence.
 */
import { readFileSync } from "node:fs";
import * as z from "zod";
import { Failure, UsageError } from "./output.ts";

export interface Client {
  readonly url: string;
  /** @throws Failure in one sentence, when the answer is not the one expected */
  call<T>(
    method: "GET" | "PUT" | "POST" | "DELETE",
    path: string,
    answer: z.ZodType<T>,
    body?: unknown,
  ): Promise<T>;
}

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
    async call(method, path, answer, body) {
      const response = await send(new URL(path, base), method, token, body);
      const content: unknown = await response.json().catch(() => undefined);
      if (!response.ok) throw new Failure(`${method} ${path}: ${problemText(response.status, content)}`);
      const parsed = answer.safeParse(content);
      if (!parsed.success) throw new Failure(`${method} ${path}: the answer is not one this version knows`);
      return parsed.data;
    },
  };
}

async function send(url: URL, method: string, token: string, body: unknown): Promise<Response> {
  try {
    return await fetch(url, {
      method,
      redirect: "error",
      signal: AbortSignal.timeout(30_000),
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw new Failure(`cannot reach ${url.origin}: ${causeOf(error)}`, { cause: error });
  }
}

/** fetch says "fetch failed"; the reason stands in its cause. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown reason";
  return error.cause instanceof Error ? error.cause.message : error.message;
}

const Problem = z.object({
  title: z.string(),
  code: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

function problemText(status: number, content: unknown): string {
  const problem = Problem.safeParse(content);
  if (!problem.success) return `HTTP ${status}`;
  const { title, code, errors = [] } = problem.data;
  return [`${title} (${code})`, ...errors.map(({ path, message }) => `${path}: ${message}`)].join("; ");
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
