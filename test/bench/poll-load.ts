/** Load for the poll benchmark: one request a time on each of some kept connections, the next of all requests each time. */
import { connect } from "node:net";

export interface Load {
  readonly port: number;
  /** Whole requests, one for each host; asked in turn. */
  readonly requests: readonly string[];
  readonly connections: number;
  readonly rounds: number;
}

/** Every answer must be a 304, which has no body. */
export async function load({ port, requests, connections, rounds }: Load): Promise<void> {
  const total = rounds * requests.length;
  let sent = 0;
  const next = (): string | undefined =>
    sent < total ? requests[sent++ % requests.length] : undefined;
  await Promise.all(Array.from({ length: connections }, () => connection(port, next)));
}

/** Asks until there is nothing left to ask. */
const connection = (port: number, next: () => string | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    const ask = (): void => {
      const request = next();
      if (request !== undefined) return void socket.write(request);
      socket.destroy();
      resolve();
    };
    let pending = "";
    socket.setNoDelay(true);
    socket.on("connect", ask);
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      pending += chunk.toString("latin1");
      if (!pending.endsWith("\r\n\r\n")) return;
      if (!pending.startsWith("HTTP/1.1 304")) {
        socket.destroy();
        return reject(new Error(`expected 304: ${pending.slice(0, 40)}`));
      }
      pending = "";
      ask();
    });
  });
