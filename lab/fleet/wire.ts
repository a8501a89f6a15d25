/**
 * The path from a host's namespace to the control plane: a unix socket here, which crosses namespaces, and the relay in
 * the management namespace in front of it. Changing the relay's mode is confirmed before it returns.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Authority } from "./authority.ts";
import { stop } from "#lab/run/process.ts";
import type { LabState } from "#lab/net/state.ts";

const relayProgram = fileURLToPath(new URL("../net/relay.ts", import.meta.url));

export interface Wire {
  mode(name: "pass" | "tamper" | "replay"): Promise<void>;
  close(): Promise<void>;
}

export interface WireOptions {
  readonly namespace: string;
  readonly address: string;
  readonly port: number;
  readonly authority: Authority;
  readonly socketPath: string;
  /** Port of the control plane on this machine's loopback. */
  readonly to: number;
}

export async function openWire(options: WireOptions, state: LabState): Promise<Wire> {
  const door = await openDoor(options.socketPath, options.to);
  const { authority } = options;
  const relay = spawn(
    "ip",
    ["netns", "exec", options.namespace, process.execPath, relayProgram].concat(
      ["--listen", options.address, "--port", `${options.port}`, "--to", options.socketPath],
      ["--cert", authority.certificate, "--key", authority.key],
    ),
    { stdio: ["pipe", "pipe", "inherit"], detached: true },
  );
  if (relay.pid !== undefined) state.started(relay.pid);
  const lines = createInterface({ input: relay.stdout });
  await waitForLine(relay, lines, "listening");
  return {
    mode: async (name) => {
      const confirmed = waitForLine(relay, lines, name);
      relay.stdin.write(`${name}\n`);
      await confirmed;
    },
    close: async () => {
      await stop(relay);
      door.close();
      rmSync(options.socketPath, { force: true });
    },
  };
}

/** Pipes a unix socket to a port on loopback. */
async function openDoor(path: string, port: number): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer((inside) => {
    const outside = connect(port, "127.0.0.1");
    inside.pipe(outside).pipe(inside);
    inside.on("error", () => outside.destroy()).on("close", () => outside.destroy());
    outside.on("error", () => inside.destroy()).on("close", () => inside.destroy());
  });
  server.listen(path);
  await once(server, "listening");
  return server;
}

/** Waits for one line of the relay. @throws Error when it says something else, or ends */
async function waitForLine(relay: ChildProcess, lines: Interface, expected: string): Promise<void> {
  const ended = new AbortController();
  const line = once(lines, "line", { signal: ended.signal });
  const abortWait = (): void => ended.abort(new Error("the relay ended"));
  relay.once("exit", abortWait);
  const [said] = (await line) as [string];
  relay.off("exit", abortWait);
  if (said !== expected) throw new Error(`the relay said ${said}, expected ${expected}`);
}
