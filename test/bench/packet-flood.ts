/**
 * Runs inside a network namespace: `packet-flood <packets> <rounds> <address>...` sends UDP to each address in turn,
 * round by round, and prints one JSON line: for each address the seconds of every round. Between two namespaces of one
 * machine the sender does the receiver's work, so its time is what a packet costs. Ends by itself.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { ports } from "./packet-rules.ts";

const [packets = 0, rounds = 0] = process.argv.slice(2, 4).map(Number);
const addresses = process.argv.slice(4);

async function burst(socket: Socket, address: string): Promise<number> {
  const start = performance.now();
  await new Promise<void>((resolve, reject) => {
    let left = packets;
    for (let i = 0; i < packets; i += 1)
      socket.send("x", ports[i % ports.length] ?? 0, address, (error) => {
        if (error !== null) reject(error);
        left -= 1;
        if (left === 0) resolve();
      });
  });
  return (performance.now() - start) / 1000;
}

const socket = createSocket("udp4");
socket.bind(0);
await once(socket, "listening");
const seconds: number[][] = addresses.map(() => []);
for (let round = 0; round < rounds; round += 1)
  for (const [i, address] of addresses.entries()) seconds[i]?.push(await burst(socket, address));
socket.close();
process.stdout.write(`${JSON.stringify(seconds)}\n`);
