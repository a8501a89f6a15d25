/**
 * One HTTP request with an end: every wait and every size has a limit, nothing is followed, nothing is decompressed.
 * The other side may be anybody until its bytes are verified, so it may cost us no more than these limits.
 *
 * Relies on node:http and node:https only: global fetch costs 17 MB and follows redirects unless told otherwise.
 */
import { type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { Refused } from "#agent/machine/refusal.ts";
import { isCertificateFault } from "#tls/agent.ts";
import type { TrustedTls } from "./trusted-ca.ts";

/** Milliseconds and bytes (THREATS.md, rows 9 and 10). */
export interface Limits {
  readonly connectMs: number;
  readonly headersMs: number;
  readonly cycleMs: number;
  /** From this time on, a body must have come in at `floorBytesPerSecond` on average. */
  readonly floorAfterMs: number;
  readonly floorBytesPerSecond: number;
}

export const defaultLimits: Limits = {
  connectMs: 5_000,
  headersMs: 10_000,
  cycleMs: 20_000,
  floorAfterMs: 5_000,
  floorBytesPerSecond: 4_096,
};

export interface Call {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly bodyBytesMax: number;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * Sends one request and reads the whole reply.
 * @param cycle aborts when the cycle this request belongs to has used its time
 * @throws Refused `unreachable`, `response_too_slow`, `response_too_large` or `response_encoding`
 */
export function send(
  call: Call,
  limits: Limits,
  tls: TrustedTls,
  cycle: AbortSignal,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = openRequest(call, tls);
    const watch = new Watch(outgoing, limits, cycle);
    const fail = (error: Error): void => {
      watch.stop();
      outgoing.destroy();
      reject(error instanceof Refused ? error : new Refused("unreachable", describe(error)));
    };
    watch.onRefusal = fail;
    outgoing.on("error", fail);
    // After an answer this changes nothing; some that are none, such as 101, end without an error.
    outgoing.on("close", () =>
      fail(new Refused("unreachable", "the connection ended without a reply")),
    );
    outgoing.on("response", (incoming) => {
      watch.takeHeaders();
      collect(incoming, call.bodyBytesMax, watch, fail, (reply) => {
        watch.stop();
        resolve(reply);
      });
    });
    outgoing.end(call.body);
  });
}

/** Node throws at once for what cannot stand in a request. Nothing that came from the wire gets here unread, all the same. */
function openRequest(call: Call, tls: TrustedTls): ClientRequest {
  try {
    return open(call, tls);
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused(
      "unreachable",
      describe(error instanceof Error ? error : new Error("unknown")),
    );
  }
}

function open(call: Call, tls: TrustedTls): ClientRequest {
  const length =
    call.body === undefined ? {} : { "content-length": String(Buffer.byteLength(call.body)) };
  const options = {
    method: call.method,
    headers: { "accept-encoding": "identity", ...length, ...call.headers },
    maxHeaderSize: 16_384,
  };
  return call.url.startsWith("https:")
    ? httpsRequest(call.url, { ...options, agent: tls.agent(), rejectUnauthorized: true })
    : httpRequest(call.url, { ...options, agent: false });
}

function collect(
  incoming: IncomingMessage,
  bytesMax: number,
  watch: Watch,
  fail: (error: Error) => void,
  done: (reply: Reply) => void,
): void {
  const encoding = incoming.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity")
    return fail(new Refused("response_encoding", "expected an unencoded body"));
  const tooLarge = new Refused("response_too_large", `expected at most ${bytesMax} bytes`);
  if (Number(incoming.headers["content-length"] ?? 0) > bytesMax) return fail(tooLarge);
  const chunks: Buffer[] = [];
  let bytes = 0;
  incoming.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    watch.takeBytes(chunk.length);
    if (bytes > bytesMax) return fail(tooLarge);
    chunks.push(chunk);
  });
  incoming.on("error", fail);
  // A body cut short ends without `complete`; node raises an error for most such cases, but not for all.
  incoming.on("close", () => {
    if (!incoming.complete)
      fail(new Refused("unreachable", "the connection ended before the reply did"));
  });
  incoming.on("end", () => {
    if (incoming.complete)
      done({
        status: incoming.statusCode ?? 0,
        headers: flatten(incoming),
        body: Buffer.concat(chunks),
      });
  });
}

function flatten(incoming: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers))
    if (typeof value === "string") headers[name] = value;
  return headers;
}

/** The clocks of one request. Each limit that passes ends it with `response_too_slow`, a dead host with `unreachable`. */
class Watch {
  onRefusal: (refusal: Refused) => void = () => undefined;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #limits: Limits;
  readonly #cycle: AbortSignal;
  #bodyStartedAt = 0;
  readonly #connect: NodeJS.Timeout;
  readonly #headers: NodeJS.Timeout;
  #bytes = 0;

  constructor(outgoing: ClientRequest, limits: Limits, cycle: AbortSignal) {
    this.#limits = limits;
    this.#cycle = cycle;
    this.#connect = this.#after(limits.connectMs, "unreachable", "no connection in time");
    this.#headers = this.#after(
      limits.headersMs,
      "response_too_slow",
      "no response headers in time",
    );
    outgoing.on("socket", (socket) => {
      const ready = (): void => clearTimeout(this.#connect);
      socket.once("encrypted" in socket ? "secureConnect" : "connect", ready);
    });
    if (cycle.aborted) queueMicrotask(this.#cycleOver);
    else cycle.addEventListener("abort", this.#cycleOver, { once: true });
  }

  takeHeaders(): void {
    clearTimeout(this.#connect);
    clearTimeout(this.#headers);
    this.#bodyStartedAt = performance.now();
    const pulse = setInterval(() => this.#checkSpeed(), Math.min(250, this.#limits.floorAfterMs));
    this.#timers.add(pulse);
  }

  takeBytes(bytes: number): void {
    this.#bytes += bytes;
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#cycle.removeEventListener("abort", this.#cycleOver);
  }

  readonly #cycleOver = (): void =>
    this.onRefusal(new Refused("response_too_slow", "the cycle took longer than it may"));

  #checkSpeed(): void {
    const elapsed = performance.now() - this.#bodyStartedAt;
    const expected = (elapsed / 1000) * this.#limits.floorBytesPerSecond;
    if (elapsed > this.#limits.floorAfterMs && this.#bytes < expected)
      this.onRefusal(new Refused("response_too_slow", "the reply comes in slower than the floor"));
  }

  #after(ms: number, code: "unreachable" | "response_too_slow", message: string): NodeJS.Timeout {
    const timer = setTimeout(() => this.onRefusal(new Refused(code, message)), ms);
    this.#timers.add(timer);
    return timer;
  }
}

/** The system's own code and nothing that could quote a header. */
function describe(error: Error): string {
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name;
  const advice = isCertificateFault(code)
    ? "; neither the system's store nor --ca vouches for its certificate"
    : "";
  return `cannot reach the control plane (${code})${advice}`;
}
