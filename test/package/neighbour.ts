/**
 * Other programs that keep rules, as Debian ships them, in a system of their own: a tree that nobody else sees, the
 * network namespace of a test, and a process namespace that takes everything with it when it ends. Nothing of this
 * machine is installed, started or changed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must, run, waitUntil } from "#lab/run/process.ts";

/** Arguments: the unpacked system, a folder to mount at, the network namespace. All mounts end with the process. */
const setup = `set -eu
system=$1 place=$2 namespace=$3
mount -t tmpfs tmpfs "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=$system,upperdir=$place/upper,workdir=$place/work" "$place/root"
mount -t proc proc "$place/root/proc"
for shared in sys dev; do mount --rbind "/$shared" "$place/root/$shared"; done
mount -t tmpfs tmpfs "$place/root/run"
mkdir -p "$place/root/run/lock" "$place/root/run/dbus" "$place/root/run/fail2ban"
exec nsenter "--net=/run/netns/$namespace" chroot "$place/root" sh -c 'echo ready; exec sleep 900'`;

export class Neighbour {
  readonly #place: string;
  readonly #init: ChildProcess;
  /** Process id, seen from here, of the first process inside. */
  readonly #pid: number;

  private constructor(place: string, init: ChildProcess, pid: number) {
    this.#place = place;
    this.#init = init;
    this.#pid = pid;
  }

  /** @param tree a Debian system that has the programs, as files; it is only read */
  static async open(tree: string, namespace: string): Promise<Neighbour> {
    const place = mkdtempSync(join(tmpdir(), "portcullis-neighbour-"));
    const apart = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"];
    const init = spawn("unshare", [...apart, "sh", "-c", setup, "sh", tree, place, namespace], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ready = once(init.stdout, "data").then(() => true);
    const ended = once(init, "exit").then(() => false);
    if (!(await Promise.race([ready, ended])))
      throw new Error("the neighbour's system did not start");
    const children = await must(["ps", "-o", "pid=", "--ppid", String(init.pid)]);
    return new Neighbour(place, init, Number(children.trim()));
  }

  /** Runs a shell text inside. @returns its output @throws when it fails */
  sh(text: string): Promise<string> {
    return must(this.#inside(text));
  }

  /** Waits until a shell text inside succeeds. @throws after 30 s */
  async until(text: string): Promise<void> {
    await waitUntil(text, async () =>
      (await run(this.#inside(text))).code === 0 ? true : undefined,
    );
  }

  #inside(text: string): readonly string[] {
    const enter = ["nsenter", "-t", String(this.#pid), "-m", "-n", "-p", "-r", "-w"];
    return [...enter, "--", "sh", "-ec", text];
  }

  async close(): Promise<void> {
    const ended = once(this.#init, "exit");
    this.#init.kill("SIGKILL");
    await ended;
    rmSync(this.#place, { recursive: true, force: true });
  }
}
