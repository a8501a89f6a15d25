/**
 * The machines of docs/lost.md in one network namespace: an operator's desk, the control plane as its own process, and
 * the host web1 with its real agent and kernel. Commands are run by a shell as they stand in the document; only folders,
 * names and what this machine has no service manager for are put in their place.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnExec } from "#agent/process/spawn.ts";
import { makeNamespaces, makeNamespaceName, newPrefix, removeNamespaces } from "#lab/net/netns.ts";

const repository = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");
const url = "https://127.0.0.1:8443";
export const newUrl = "https://127.0.0.1:9443";

/** What a place of the document is here, below a folder of the test's own. */
const places = {
  "/var/lib/portcullis-control": "control",
  "/etc/portcullis-control": "certificate",
  "/var/lib/portcullis": "state",
  "/etc/portcullis": "guard",
  "/etc/systemd/system": "units",
  "/usr/local/share/ca-certificates": "authorities",
  "/backup": "backup",
} as const;

/** What stands for a program of the machine that a test must not or cannot use. `$H` is the folder of the machines. */
const programs = {
  portcullis: `exec node "$R/cli/main.ts" "$@"`,
  "portcullis-agent": `exec node "$R/agent/main.ts" "$@" --state-dir "$H/state" --guard "$H/guard/guard.yaml"`,
  // Two machines are one here, and there is one user.
  ssh: `shift; exec sh -c "$*"`,
  runuser: `shift 3; exec "$@"`,
  "update-ca-certificates": `cat "$H"/authorities/*.crt > "$H/store.pem"`,
  systemctl: `
stop() { [ -f "$H/$1.pid" ] || return 0; kill -TERM "$(cat "$H/$1.pid")" 2>/dev/null; tail --pid="$(cat "$H/$1.pid")" -f /dev/null; rm "$H/$1.pid"; }
agent() { sed -n 's,^ExecStart=/usr/bin/\\(portcullis-agent .*\\)--nft /usr/sbin/nft\\(.*\\),\\1\\2,p' "$H/units/portcullis-agent.service.d/url.conf" 2>/dev/null | grep . || echo portcullis-agent run; }
start() {
  : > "$H/$1.log"
  case $1 in
  portcullis-control) node "$R/worker/standalone/main.ts" --data "$H/control" --fleet main --poll-seconds 5 --listen 127.0.0.1:0 \\
    --tls-listen "$(cat "$H/listen")" --tls-cert "$H/certificate/cert.pem" --tls-key "$H/certificate/key.pem" >>"$H/$1.log" 2>&1 & ;;
  portcullis-agent) $(agent) >>"$H/$1.log" 2>&1 & ;;
  esac
  echo $! > "$H/$1.pid"
  [ "$1" = portcullis-agent ] && return 0
  until grep -q 'first operator token' "$H/$1.log"; do kill -0 $! || { cat "$H/$1.log" >&2; exit 1; }; sleep 0.1; done
}
case $1 in
stop) stop "$2" ;; start) start "$2" ;; restart) stop "$2"; start "$2" ;; daemon-reload) ;; *) exit 64 ;;
esac`,
} as const;

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

export class Machines {
  readonly folder: string;
  readonly #namespace: string;
  #before: string;
  readonly said = new Map<string, string>();
  readonly #names = new Map<string, string>([
    ["https://control.example:8443", url],
    ["https://new.example:8443", newUrl],
    ["/opt/portcullis", repository],
  ]);

  private constructor(folder: string, namespace: string, before: string) {
    this.folder = folder;
    this.#namespace = namespace;
    this.#before = before;
    for (const [place, here] of Object.entries(places)) this.#names.set(place, join(folder, here));
  }

  /**
   * @param before commands that stand before all others
   * @param like machines that are stopped, whose disks these begin with
   */
  static async open(folder: string, before: string, like?: Machines): Promise<Machines> {
    if (like === undefined) prepare(folder);
    else cpSync(like.folder, folder, { recursive: true });
    const namespace = makeNamespaceName(newPrefix(), "lost");
    await makeNamespaces([namespace]);
    const machines = new Machines(folder, namespace, before);
    for (const [word, here] of like?.said ?? []) machines.means(word, here);
    return machines;
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  /** From now on `word` of the document means this; also on machines that begin like these. */
  means(word: string, here: string): void {
    this.said.set(word, here);
  }

  /** Runs commands on the operator's desk, to their end, whatever that is. */
  async try(text: string): Promise<Ran> {
    const script = [...this.#names, ...this.said]
      .toSorted(([a], [b]) => b.length - a.length)
      .reduce((words, [word, here]) => words.replaceAll(word, here), `${this.#before}\n${text}`);
    const run = spawnExec({
      prefix: [
        "ip",
        "netns",
        "exec",
        this.#namespace,
        "env",
        "-C",
        this.at("desk"),
        ...this.#environment(),
      ],
      timeoutSeconds: 300,
    });
    const { status, stdout, stderr } = await run(
      ["bash", "--norc", "-euo", "pipefail", "-c", script],
      "",
    );
    return { code: status ?? -1, out: stdout, error: stderr };
  }

  /** The same, and it must do what it says. */
  async run(text: string): Promise<string> {
    const { code, out, error } = await this.try(text);
    if (code !== 0) throw new Error(`ended with ${code}: ${error}\n${out}\n--- of\n${text}`);
    return out;
  }

  /** What the kernel of web1 holds of ours; empty where nothing filters. */
  async loaded(): Promise<string> {
    const { out } = await this.try("nft -s list table inet portcullis");
    return out;
  }

  /** From now on these commands stand before all others, too. */
  begins(commands: string): void {
    this.#before += `\n${commands}`;
  }

  log(unit: "portcullis-control" | "portcullis-agent"): string {
    return readFileSync(this.at(`${unit}.log`), "utf8");
  }

  async stop(): Promise<void> {
    await this.run("systemctl stop portcullis-agent; systemctl stop portcullis-control");
  }

  async close(): Promise<void> {
    await this.stop();
    await removeNamespaces([this.#namespace]);
  }

  /** Nothing of ours that would turn a program from its way, and the store of certificates of this machine. */
  #environment(): readonly string[] {
    const store = [`SSL_CERT_FILE=${this.at("store.pem")}`, `SSL_CERT_DIR=${this.at("nothing")}`];
    const path = `PATH=${this.at("bin")}:${join(process.execPath, "..")}:${process.env["PATH"] ?? ""}`;
    return ["-u", "NODE_OPTIONS", path, `H=${this.folder}`, `R=${repository}`, ...store];
  }
}

function prepare(folder: string): void {
  for (const here of ["bin", "nothing", "desk", "desk/catalog", ...Object.values(places)])
    mkdirSync(join(folder, here), { recursive: true, mode: 0o700 });
  rmSync(join(folder, "control"), { recursive: true });
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, "bin", name), `#!/bin/bash\n${script}\n`);
    chmodSync(join(folder, "bin", name), 0o755);
  }
  writeFileSync(join(folder, "listen"), "127.0.0.1:8443");
  for (const name of ["old", "new"]) {
    authority(folder, name);
    certify(folder, name, name);
  }
  certify(folder, "old", "second");
  const install = (from: string, to: string): void => cpSync(join(folder, from), join(folder, to));
  install("old-ca.pem", "authorities/old.crt");
  install("old-ca.pem", "store.pem");
  install("old-cert.pem", "certificate/cert.pem");
  install("old-key.pem", "certificate/key.pem");
}

const openssl = (...words: readonly string[]): void =>
  void execFileSync("openssl", words, { stdio: "ignore" });
const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"] as const;

/** An authority, in files that begin with its name. */
function authority(folder: string, name: string): void {
  const ca = [
    "-x509",
    "-days",
    "30",
    "-addext",
    "keyUsage=keyCertSign",
    "-keyout",
    join(folder, `${name}-ca.key`),
  ];
  openssl("req", ...newKey, "-subj", `/CN=${name}`, ...ca, "-out", join(folder, `${name}-ca.pem`));
}

/** A certificate for 127.0.0.1 by that authority, in files that begin with `name`. */
function certify(folder: string, by: string, name: string): void {
  const at = (file: string): string => join(folder, `${name}-${file}`);
  openssl("req", ...newKey, "-subj", "/CN=control", "-keyout", at("key.pem"), "-out", at("csr"));
  writeFileSync(at("ext"), "subjectAltName=IP:127.0.0.1\n");
  const ca = [
    "-CA",
    join(folder, `${by}-ca.pem`),
    "-CAkey",
    join(folder, `${by}-ca.key`),
    "-CAcreateserial",
  ];
  openssl(
    "x509",
    "-req",
    "-in",
    at("csr"),
    ...ca,
    "-extfile",
    at("ext"),
    "-days",
    "30",
    "-out",
    at("cert.pem"),
  );
}
