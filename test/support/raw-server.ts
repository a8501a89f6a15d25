/** A server that answers with whatever bytes a test likes, also with what is no HTTP. On loopback, port 0. */
import { type AddressInfo, createServer } from "node:net";

export interface RawServer {
  readonly url: string;
  /** Requests as they came, head and body. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** @param answer by the path that is asked for; the connection is closed after it */
export async function openRawServer(answer: (path: string) => Buffer | string): Promise<RawServer> {
  const asked: string[] = [];
  const server = createServer((socket) => {
    let request = "";
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      request += chunk.toString("latin1");
      const [head = "", body] = request.split("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (body === undefined || body.length < length) return;
      asked.push(request);
      socket.end(answer(head.split(" ")[1] ?? ""));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** An HTTP answer; header values are written as Latin-1, byte by byte. */
export function httpAnswer(
  status: number,
  body: string | Buffer,
  headers: readonly (readonly [string, string])[] = [],
): Buffer {
  const bytes = Buffer.from(body);
  const lines = [
    `HTTP/1.1 ${status} X`,
    `content-length: ${bytes.length}`,
    "connection: close",
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), bytes]);
}
