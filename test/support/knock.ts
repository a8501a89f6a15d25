/**
 * Knocks at TCP ports from the namespace it runs in, all at once, and prints one word for each argument
 * `address port`: `open`, `refused`, `unreachable` or `silent` (no answer within the time given first, in ms).
 */
import { connect } from "node:net";

const [limit = "0", ...targets] = process.argv.slice(2);

const answers = targets.map(
  (target) =>
    new Promise<string>((resolve) => {
      const [host = "", port = ""] = target.split(" ");
      const socket = connect({ host, port: Number(port) });
      const timer = setTimeout(() => finish("silent"), Number(limit));
      const finish = (word: string): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve(word);
      };
      socket.on("connect", () => finish("open"));
      socket.on("error", (error: NodeJS.ErrnoException) =>
        finish(error.code === "ECONNREFUSED" ? "refused" : "unreachable"),
      );
    }),
);
process.stdout.write(`${(await Promise.all(answers)).join("\n")}\n`);
