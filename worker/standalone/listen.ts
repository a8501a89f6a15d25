/**
 * Sockets for the app: plain HTTP on loopback only, because tokens travel in it; TLS on any address or on a unix
 * socket. Port 0 asks the kernel for a free one; the listener says which.
 */
import { unlink } from "node:fs/promises";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { connect } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { App } from "../app.ts";

export interface Certificate {
  /** PEM. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

export type Endpoint =
  | { readonly kind: "plain"; readonly host: string; readonly port: number }
  | {
      readonly kind: "tls";
      readonly host: string;
      readonly port: number;
      readonly certificate: Certificate;
    }
  | { readonly kind: "unix"; readonly path: string; readonly certificate: Certificate };

export interface Listener {
  /** Where it answers; for a unix socket its path. */
  readonly url: string;
  /** Stops listening; requests under way get a few seconds. */
  readonly close: () => Promise<void>;
}

/** @throws Error that names the address, when it is taken, not ours or not allowed */
export async function listen(app: App, endpoint: Endpoint): Promise<Listener> {
  if (endpoint.kind === "plain" && !loopback.has(endpoint.host))
    throw new Error(`plain HTTP is for loopback only: ${endpoint.host} needs TLS`);
  if (endpoint.kind === "unix") await removeStale(endpoint.path);
  const server = makeServer(app, endpoint);
  const target =
    endpoint.kind === "unix"
      ? { path: endpoint.path, readableAll: false }
      : { host: endpoint.host, port: endpoint.port };
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) =>
      reject(new Error(describeFailure(endpoint, error), { cause: error })),
    );
    server.listen(target, resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: urlOf(endpoint, port),
    close: () =>
      new Promise((resolve) => {
        const impatience = setTimeout(() => server.closeAllConnections(), 5000);
        server.close(() => {
          clearTimeout(impatience);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

const loopback: ReadonlySet<string> = new Set(["127.0.0.1", "::1", "localhost"]);

function makeServer(app: App, endpoint: Endpoint) {
  if (endpoint.kind === "plain") return createHttpServer(listenerOf(app));
  const { cert, key } = endpoint.certificate;
  return createHttpsServer({ cert, key, minVersion: "TLSv1.3" }, listenerOf(app));
}

/** A poll that changes nothing is answered without a Request and a Response, which cost more than the answer. */
function listenerOf(app: App): RequestListener {
  const listener = getRequestListener(app.fetch);
  const answer = (
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    unchanged: Awaited<ReturnType<App["unchanged"]>>,
  ): void => {
    if (unchanged === undefined) void listener(incoming, outgoing);
    else outgoing.writeHead(304, unchanged).end();
  };
  return (incoming, outgoing) => {
    const unchanged = app.unchanged(incoming.method, incoming.url, incoming.headers);
    if (unchanged instanceof Promise)
      void unchanged.then((late) => answer(incoming, outgoing, late));
    else answer(incoming, outgoing, unchanged);
  };
}

function urlOf(endpoint: Endpoint, port: number): string {
  switch (endpoint.kind) {
    case "unix":
      return endpoint.path;
    case "plain":
      return `http://${addBrackets(endpoint.host)}:${port}`;
    case "tls":
      return `https://${addBrackets(endpoint.host)}:${port}`;
  }
}

const addBrackets = (host: string): string => (host.includes(":") ? `[${host}]` : host);

function describeFailure(endpoint: Endpoint, error: Error): string {
  const where =
    endpoint.kind === "unix" ? endpoint.path : `${addBrackets(endpoint.host)}:${endpoint.port}`;
  const code = "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") return `${where} is taken: another process listens there`;
  if (code === "EACCES") return `${where} is not ours to listen on`;
  if (code === "EADDRNOTAVAIL") return `${where} is not an address of this machine`;
  return `cannot listen on ${where}: ${error.message}`;
}

/** Removes a socket file that nobody listens on any more; one that answers is left and makes `listen` fail. */
async function removeStale(path: string): Promise<void> {
  const code = await connectError(path);
  if (code === "ECONNREFUSED") await unlink(path);
}

const connectError = (path: string): Promise<unknown> =>
  new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", (error) => resolve("code" in error ? error.code : undefined));
  });
