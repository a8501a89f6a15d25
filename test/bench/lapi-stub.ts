/** As much of CrowdSec's local API as its bouncer polls: no decisions, ever. Ends when stdin does. */
import { createServer } from "node:http";

createServer((_, response) => {
  response.setHeader("content-type", "application/json");
  response.end('{"new":[],"deleted":[]}');
}).listen(8080, "127.0.0.1", () => process.stdout.write("stub listens\n"));
process.stdin.resume().on("end", () => process.exit(0));
