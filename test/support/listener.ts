/** Listens on the TCP ports given, on every address of its namespace; prints `ready`, and ends when stdin does. */
import { once } from "node:events";
import { createServer } from "node:net";

for (const port of process.argv.slice(2)) {
  const server = createServer((socket) => socket.end());
  server.listen(Number(port), "::");
  await once(server, "listening");
}
process.stdout.write("ready\n");
process.stdin.resume().on("end", () => process.exit(0));
