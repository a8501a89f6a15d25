/**
 * Holds one TCP connection for each argument `address port` and prints `ready`. For each line on stdin it asks every
 * connection once and prints one word for each: `alive` when its own question came back within 700 ms, else `cut`.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

const held = await Promise.all(
  process.argv.slice(2).map(async (target) => {
    const [host = "", port = ""] = target.split(" ");
    const socket = connect({ host, port: Number(port) });
    await once(socket, "connect");
    socket.on("error", () => undefined);
    return socket;
  }),
);

const ask = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    const answered = (chunk: Buffer): void => {
      if (chunk.includes("?")) finish("alive");
    };
    const timer = setTimeout(() => finish("cut"), 700);
    const finish = (word: string): void => {
      clearTimeout(timer);
      socket.off("data", answered);
      resolve(word);
    };
    socket.on("data", answered);
    if (socket.destroyed) finish("cut");
    else socket.write("?");
  });

process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin }))
  if (line !== "") process.stdout.write(`${(await Promise.all(held.map(ask))).join(" ")}\n`);
process.exit(0);
