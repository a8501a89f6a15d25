/** The program that TUF's conformance suite runs, as `node test/conformance/main.ts`; what it does is in `client.ts`. */
import { runClient } from "./client.ts";

process.exitCode = await runClient(
  process.argv.slice(2),
  (line) => void process.stderr.write(`${line}\n`),
);
