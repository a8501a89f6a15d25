/**
 * A Debian system under its own systemd, in a network namespace of the test's: systemd-nspawn over a folder. It has the
 * rights to change its own firewall and nothing of this machine's. Stopping it is an orderly shutdown.
 */
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { must, type Outcome, run, start, stop, waitUntil } from "#lab/run/process.ts";

export interface Container {
  /** Runs a program inside; must succeed. */
  must(argv: readonly string[], input?: string): Promise<string>;
  run(argv: readonly string[], input?: string): Promise<Outcome>;
  stop(): Promise<void>;
}

/** Boots the tree and waits until systemd has started what it means to. */
export async function boot(tree: string, namespace: string): Promise<Container> {
  const name = namespace.slice(0, 20);
  const log = openSync(`${tree}.console`, "a");
  const options = [
    "--quiet",
    "--register=no",
    "--keep-unit",
    "--console=read-only",
    "--capability=CAP_NET_ADMIN",
  ];
  const network = `--network-namespace-path=/run/netns/${namespace}`;
  const child = await start(
    ["systemd-nspawn", ...options, network, "-M", name, "-D", tree, "--boot"],
    log,
  );
  closeSync(log);
  const running = (): void => {
    if (child.exitCode !== null)
      throw new Error(`the container ended: ${readFileSync(`${tree}.console`, "utf8")}`);
  };
  try {
    const init = await waitUntil("systemd in the container", () => {
      running();
      return child.pid === undefined ? undefined : initOf(child.pid);
    });
    const inside = enter(init, () => stop(child, 20_000));
    await waitUntil("the container to be up", async () => {
      running();
      const { stdout } = await inside.run(["systemctl", "is-system-running"]);
      return ["running", "degraded"].includes(stdout.trim()) ? true : undefined;
    });
    return inside;
  } catch (error) {
    await stop(child, 20_000); // else every later boot of this tree finds it busy
    throw error;
  }
}

/** Runs programs in all namespaces of the container's first process. */
function enter(init: number, end: () => Promise<void>): Container {
  const within = (argv: readonly string[]): readonly string[] => [
    "nsenter",
    "-t",
    `${init}`,
    "-a",
    ...argv,
  ];
  return {
    must: (argv, input = "") => must(within(argv), { input }),
    run: (argv, input = "") => run(within(argv), { input }),
    stop: end,
  };
}

/** The process that is systemd within: the descendant of nspawn's that is number 1 in its own namespace. */
function initOf(nspawn: number): number | undefined {
  for (const child of childrenOf(nspawn)) {
    const status = ofProcess(() => readFileSync(`/proc/${child}/status`, "utf8")) ?? "";
    const isInit = /^NSpid:\t.*\t1$/m.test(status) && /^Name:\tsystemd$/m.test(status);
    if (isInit) return child;
    const below = initOf(child);
    if (below !== undefined) return below;
  }
  return undefined;
}

function childrenOf(pid: number): readonly number[] {
  const folder = `/proc/${pid}/task`;
  const tasks = ofProcess(() => readdirSync(folder)) ?? [];
  return tasks.flatMap((task) => {
    const children = ofProcess(() => readFileSync(join(folder, task, "children"), "utf8")) ?? "";
    return children.split(" ").filter(Boolean).map(Number);
  });
}

/** What a file of /proc says; undefined for a process that ended meanwhile: nspawn starts several that do. */
function ofProcess<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
}
