/**
 * One request of the command line, as a web `Response`. Its certificate is verified whatever the environment says, by the
 * machine's store and what `--ca` adds; the way goes through the proxy that HTTPS_PROXY names, but for what NO_PROXY does,
 * and never for plain http, which is for loopback. Follows no redirect: the token is for one control plane.
 */
import { type IncomingMessage, request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { makeTlsAgent } from "#tls/agent.ts";
import { StoreError } from "#tls/store.ts";
import { Failure } from "#cli/text/output.ts";

export interface Sent {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** For everything, the answer's body included. */
  readonly milliseconds: number;
}

export type Transport = (url: URL, sent: Sent) => Promise<Response>;

/** Variables that node's agent reads a proxy from; not HTTP_PROXY, which plain http to loopback would go by. */
const proxyVariables = ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"] as const;

/**
 * @param ca certificates to believe besides the system's, PEM
 * @throws Failure when the system's store or `ca` cannot be used
 */
export function openTransport(ca: string | undefined, env: Readonly<NodeJS.ProcessEnv>): Transport {
  let agent: ReturnType<typeof makeSecureContext> | undefined;
  return (url, sent) => {
    if (url.protocol !== "https:") return sendRequest(httpRequest, url, { agent: false }, sent);
    agent ??= makeSecureContext(ca, env);
    return sendRequest(httpsRequest, url, { agent }, sent);
  };
}

function makeSecureContext(ca: string | undefined, env: Readonly<NodeJS.ProcessEnv>) {
  const proxyEnv = Object.fromEntries(proxyVariables.map((name) => [name, env[name]]));
  try {
    return makeTlsAgent(ca ?? null, { keepAlive: true, proxyEnv }, env);
  } catch (error) {
    if (error instanceof StoreError) throw new Failure(error.message);
    throw error;
  }
}

function sendRequest(
  request: typeof httpRequest,
  url: URL,
  options: RequestOptions,
  { method, headers, body, milliseconds }: Sent,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(milliseconds);
    const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const outgoing = request(url, {
      ...options,
      method,
      signal,
      headers: { ...length, ...headers },
    });
    outgoing.on("error", reject);
    outgoing.on("close", () => reject(new Error("the connection ended without an answer")));
    outgoing.on("response", (incoming) => {
      const status = incoming.statusCode ?? 0;
      const isRedirect = status >= 300 && status < 400 && status !== 304;
      if (status >= 200 && status <= 599 && !isRedirect)
        return resolve(responseOf(incoming, status));
      incoming.destroy();
      reject(
        new Error(
          `answered with the status ${status}${isRedirect ? ", and no redirect is followed" : ""}`,
        ),
      );
    });
    outgoing.end(body);
  });
}

/** Statuses that have no body (Fetch Standard, null body status). */
const bodiless: ReadonlySet<number> = new Set([101, 204, 205, 304]);

function responseOf(incoming: IncomingMessage, status: number): Response {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(incoming.headersDistinct))
    for (const value of values) headers.append(name, value);
  // Whoever does not read it to its end says so by its abort signal, or goes on without it.
  incoming.on("error", () => undefined);
  const body = bodiless.has(status)
    ? null
    : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>);
  return new Response(body, { status, headers });
}
