/** Load for the poll benchmark, in a thread of its own: one request a time on each of some kept connections. */
import { connect } from "node:net";
import { parentPort } from "node:worker_threads";
import * as z from "zod";

const Job = z.strictObject({ port: z.int(), request: z.string(), connections: z.int(), requests: z.int() });
export type Job = z.infer<typeof Job>;

/** @returns requests a second; every answer must be a 304, which has no body */
async function load({ port, request, connections, requests }: Job): Promise<number> {
  let left = requests;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => void socket.write(request));
      let pending = "";
      socket.setNoDelay(true);
      socket.on("error", reject);
      socket.on("data", (chunk) => {
        pending += chunk.toString("latin1");
        if (!pending.endsWith("\r\n\r\n")) return;
        if (!pending.startsWith("HTTP/1.1 304")) {
          socket.destroy();
          reject(new Error(`expected 304: ${pending.slice(0, 40)}`));
          return;
        }
        pending = "";
        left -= 1;
        if (left > 0) socket.write(request);
        else {
          socket.destroy();
          resolve();
        }
      });
    });
  const started = performance.now();
  await Promise.all(Array.from({ length: connections }, one));
  return requests / ((performance.now() - started) / 1000);
}

parentPort?.on("message", (job: unknown) => {
  load(Job.parse(job)).then(
    (rate) => parentPort?.postMessage({ rate }),
    (error: unknown) => parentPort?.postMessage({ error: String(error) }),
  );
});
