/**
 * Wants multicast groups, in the namespace it runs in: joins those given, each by its device after `%`, for IPv4 by an address of it,
 * says `joined`, and leaves them when stdin ends.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";

for (const group of process.argv.slice(2)) {
  const [address = "", device] = group.split("%");
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.bind(0);
  await once(socket, "listening");
  const by = address.includes(":") ? `::%${device}` : device;
  socket.addMembership(address, by);
}
process.stdout.write("joined\n");
process.stdin.resume().on("end", () => process.exit(0));
