/** Takes UDP at the port given, over IPv6; says `ready`, then the address and port that each datagram came from. */
import { createSocket } from "node:dgram";

const socket = createSocket("udp6", (_, from) =>
  process.stdout.write(`${from.address} ${from.port}\n`),
);
socket.bind(Number(process.argv[2]), "::", () => process.stdout.write("ready\n"));
process.stdin.resume().on("end", () => process.exit(0));
