/**
 * Sends one packet for each line on stdin, from the namespace it runs in, and says when it has gone:
 * `tcp|udp source destination port [sourcePort]`. A TCP packet is a SYN; nothing waits for an answer.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";

for await (const line of createInterface({ input: process.stdin })) {
  const [protocol = "", source = "", destination = "", port = "", sourcePort = "0"] =
    line.split(" ");
  const send = protocol === "tcp" ? sendSyn : sendDatagram;
  await send(source, destination, Number(port), Number(sourcePort));
  process.stdout.write("sent\n");
}

async function sendSyn(
  source: string,
  host: string,
  port: number,
  localPort: number,
): Promise<void> {
  const socket = connect({
    host,
    port,
    localAddress: source,
    ...(localPort === 0 ? {} : { localPort }),
  });
  socket.on("error", () => undefined); // refused or unreachable: the packet had gone
  await new Promise(setImmediate);
  socket.destroy();
}

async function sendDatagram(
  source: string,
  host: string,
  port: number,
  localPort: number,
): Promise<void> {
  const socket = createSocket(source.includes(":") ? "udp6" : "udp4");
  socket.on("error", () => undefined);
  socket.bind(localPort, source);
  await once(socket, "listening");
  await new Promise((sent) => socket.send("x", port, host, sent));
  socket.close();
}
