/**
 * The control plane over HTTP, for operators' commands. Plain http is for loopback only, because the token travels in
 * every request. Answers are parsed by the schema they should have; a problem becomes one sentence.
 */
import { readFileSync } from "node:fs";
import type * as z from "zod";
import { UsageError } from "#args/exits.ts";
import { value } from "#args/spec.ts";
import type { RouteName } from "#schema/api/access.ts";
import { type Finding, Problem } from "#schema/api/common.ts";
import type { Route } from "#schema/api/route.ts";
import { routeOf } from "#schema/api/routes/index.ts";
import type { Answered, Asked } from "#schema/api/types.ts";
import { type ProblemCode, problemEntry } from "#schema/problems.ts";
import { headers } from "#schema/wire.ts";
import { isCertificateFault } from "#tls/agent.ts";
import { readBodyText } from "./body.ts";
import { eventsOf, type ServerEvent } from "./events.ts";
import { Failure } from "#cli/text/output.ts";
import { findProfile } from "#cli/profile/profiles.ts";
import { fillRoute } from "./request.ts";
import { openTransport, type Sent, type Transport } from "./transport.ts";

export interface Client {
  readonly url: string;
  /** @throws Unreachable; Refusal when the control plane refuses; Failure when the answer is not the one expected */
  call<N extends RouteName>(route: N, asked: Asked<N>): Promise<Answered<N>>;
  /** The same for an answer that is plain text. */
  text<N extends RouteName>(route: N, asked: Asked<N>): Promise<string>;
  /**
   * Server-sent events until the control plane ends them or the connection is cut, which is not told apart.
   * @param seen id of the last event that is known already
   */
  events<N extends RouteName>(
    route: N,
    asked: Asked<N>,
    seen: string | undefined,
  ): AsyncIterable<ServerEvent>;
}

/** No answer came; the request may have been carried out or not. */
export class Unreachable extends Failure {
  override readonly name = "Unreachable";
}

/** The control plane refused, with a reason that a program may look at. */
export class Refusal extends Failure {
  override readonly name = "Refusal";
  readonly code: ProblemCode | undefined;
  readonly errors: readonly Finding[];
  readonly requestId: string | undefined;

  constructor(request: string, response: Response, content: unknown) {
    const problem = Problem.safeParse(content).data;
    const text = problem ?? ProblemText.safeParse(content).data;
    const requestId = text?.request_id ?? response.headers.get(headers.requestId) ?? undefined;
    super(`${request}: ${formatProblem(response.status, text)}${withRequest(requestId)}`);
    this.code = problem?.code;
    this.errors = problem?.errors ?? [];
    this.requestId = requestId;
  }
}

/** What a problem says to people, whose code this version does not know. */
const ProblemText = Problem.pick({ title: true, detail: true, request_id: true });

/** What a person gives the control plane's operators, so that they find the request. */
export const withRequest = (id: string | undefined): string =>
  id === undefined ? "" : ` [request ${id}]`;

/** Options that every command with a control plane has. */
export const connectionOptions = {
  url: value("URL", "control plane (default: $PORTCULLIS_URL)"),
  "token-file": value(
    "FILE",
    "file with an operator token (default: the token in $PORTCULLIS_TOKEN)",
  ),
  ca: value(
    "FILE",
    "PEM certificates to trust besides the system's (default: those in the file $PORTCULLIS_CA)",
  ),
  profile: value("NAME", "a login by its name (default: $PORTCULLIS_PROFILE, or the last)"),
} as const;

export interface Connection {
  readonly url?: string | undefined;
  readonly "token-file"?: string | undefined;
  readonly ca?: string | undefined;
  readonly profile?: string | undefined;
}

/** @throws UsageError when there is no URL or token, or one that may not be used */
export function openClient(given: Connection, env: Readonly<NodeJS.ProcessEnv>): Client {
  const { url, tokenFile, token, ca } = readConnection(given, env);
  return connect(
    parseUrl(url),
    readToken(tokenFile, token),
    openTransport(ca === undefined ? undefined : readFileOf("certificates", ca), env),
  );
}

interface Resolved {
  readonly url: string | undefined;
  readonly tokenFile: string | undefined;
  /** From the environment, where no file was named. */
  readonly token: string | undefined;
  readonly ca: string | undefined;
}

/**
 * Options first, then the environment, then the profile, whose token goes to its own control plane alone. A token of the
 * environment goes where the environment or an option says, or to a profile that is named, never to the last login's.
 * @throws UsageError
 */
export function readConnection(given: Connection, env: Readonly<NodeJS.ProcessEnv>): Resolved {
  const [url, token] = [given.url ?? env["PORTCULLIS_URL"], env["PORTCULLIS_TOKEN"]];
  const tokenFile = given["token-file"];
  const ca = given.ca ?? env["PORTCULLIS_CA"];
  const isComplete =
    given.profile === undefined && url !== undefined && (tokenFile ?? token) !== undefined;
  const profile = isComplete ? undefined : findProfile(given.profile, env);
  const isNamed = (given.profile ?? env["PORTCULLIS_PROFILE"]) !== undefined;
  if (
    profile !== undefined &&
    !isNamed &&
    url === undefined &&
    tokenFile === undefined &&
    token !== undefined
  )
    throw new UsageError(
      "PORTCULLIS_TOKEN is set, and nothing says for which control plane: set PORTCULLIS_URL, give --url, name a login with --profile, or unset it",
    );
  const isOwn =
    profile !== undefined &&
    (url === undefined || URL.parse(url)?.href === URL.parse(profile.url)?.href);
  return {
    url: url ?? profile?.url,
    token: tokenFile === undefined ? token : undefined,
    tokenFile: tokenFile ?? (token === undefined && isOwn ? profile.token_file : undefined),
    ca: ca ?? (isOwn ? (profile.ca ?? undefined) : undefined),
  };
}

/** A client of the control plane at `base`, as whom `token` is of. */
export function connect(base: URL, token: string, transport: Transport): Client {
  const ask = async <N extends RouteName>(
    route: N,
    asked: Asked<N>,
    how: How = {},
  ): Promise<Response> => {
    const { method, path } = fillRoute(route, asked.params, asked.query);
    const response = await send(transport, new URL(path, base), {
      method,
      headers: {
        ...asked.headers,
        ...how.headers,
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
      },
      body: asked.body === undefined ? undefined : JSON.stringify(asked.body),
      milliseconds: how.milliseconds ?? timeoutMs,
    });
    if (response.ok) return response;
    throw new Refusal(`${method} ${path}`, response, parseJson(await readBodyText(response)));
  };
  return {
    url: base.href.replace(/\/$/, ""),
    async call(route, asked) {
      const response = await ask(route, asked);
      return readAnswer(route, response, parseJson(await readBodyText(response)));
    },
    async text(route, asked) {
      const response = await ask(route, asked);
      return readBodyText(response);
    },
    async *events(route, asked, seen) {
      const known = seen === undefined ? {} : { "last-event-id": seen };
      const sent = { ...known, accept: "text/event-stream" };
      const { body } = await ask(route, asked, { headers: sent, milliseconds: streamMs });
      if (body !== null) yield* eventsOf(body);
    },
  };
}

interface How {
  readonly headers?: Readonly<Record<string, string>>;
  readonly milliseconds?: number;
}

/** The answer as the table of routes has it. @throws Failure */
function readAnswer<N extends RouteName>(
  route: N,
  response: Response,
  content: unknown,
): Answered<N> {
  const schema = findJsonAnswer(routeOf(route));
  const parsed = schema?.safeParse(content);
  // The types of answers come from the very table that `schema` is read from.
  if (parsed === undefined) return undefined as Answered<N>;
  if (parsed.success) return parsed.data as Answered<N>;
  const id = response.headers.get(headers.requestId) ?? undefined;
  throw new Failure(
    `${route}: the answer is not one this version knows; is it a control plane of the same version?${withRequest(id)}`,
  );
}

function findJsonAnswer({ answers }: Route): z.ZodType | undefined {
  const answer = answers[200] ?? answers[201] ?? null;
  if (answer === null) return undefined;
  return "content" in answer ? (answer.content["application/json"] ?? undefined) : answer;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function send(transport: Transport, url: URL, sent: Sent): Promise<Response> {
  try {
    return await transport(url, sent);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Unreachable(`cannot reach ${url.origin}: ${causeOf(error)}`, { cause: error });
  }
}

const timeoutMs = 60_000;
/** A control plane ends its streams after a minute. */
const streamMs = 120_000;

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown reason";
  // Of several addresses that were tried, node gives one error without a message.
  const cause = error instanceof AggregateError ? (error.errors as unknown[]).at(-1) : error;
  const { message } =
    error.cause instanceof Error ? error.cause : cause instanceof Error ? cause : error;
  return "code" in error && isCertificateFault(error.code)
    ? `${message}; --ca names the file of its CA`
    : message;
}

type ProblemText = z.infer<typeof ProblemText> & Partial<Problem>;

function formatProblem(status: number, problem: ProblemText | undefined): string {
  if (problem === undefined) return `HTTP ${status}`;
  const { title, code, detail, errors = [] } = problem;
  const findings = errors.map(({ path, message }) => `${path}: ${message}`);
  const head = code === undefined ? title : `${title} (${code})`;
  const advice =
    detail ?? (code === undefined || findings.length > 0 ? undefined : problemEntry(code).remedy);
  return [head, ...(advice === undefined ? [] : [advice]), ...findings].join("; ");
}

const loopback: ReadonlySet<string> = new Set(["127.0.0.1", "[::1]", "localhost"]);

function parseUrl(text: string | undefined): URL {
  if (text === undefined)
    throw new UsageError(
      "no control plane: give --url, set PORTCULLIS_URL, or log in once (portcullis login)",
    );
  const url = URL.parse(text);
  if (url === null) throw new UsageError("the control plane's URL is not a URL");
  if (url.protocol !== "https:" && !(url.protocol === "http:" && loopback.has(url.hostname)))
    throw new UsageError("the control plane's URL must be https, or http on loopback");
  return url;
}

function readToken(file: string | undefined, fromEnv: string | undefined): string {
  const token = (file === undefined ? (fromEnv ?? "") : readFileOf("the token", file)).trim();
  if (token === "")
    throw new UsageError(
      "no token: give --token-file, set PORTCULLIS_TOKEN, or log in once (portcullis login)",
    );
  if (!/^[A-Za-z0-9._~+/=-]+$/.test(token))
    throw new UsageError("the token holds characters that no token has");
  return token;
}

function readFileOf(what: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new UsageError(`cannot read the file of ${what} ${file}`);
  }
}
