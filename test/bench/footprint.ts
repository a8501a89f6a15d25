/**
 * What the shipped agent costs a host that has nothing to do, beside the nearest agent of its kind: Debian's
 * crowdsec-firewall-bouncer, which polls as often. Both at work in the same minute, each in a namespace of its own, each
 * with every process it started. A JavaScript engine does not get as small as a Go program: the goals keep what was won.
 */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  inNamespace,
  joinByCable,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { must, start, stop, waitUntil } from "#lab/run/process.ts";
import { debianFiles } from "#test/package/image.ts";
import { openStandingPlane } from "#test/support/standing-plane.ts";
import type { Row } from "./apply.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** Of both; the shortest that a control plane asks for. */
const pollSeconds = 5;
const polls = 12;
const [planeAddress, hostAddress] = ["10.99.0.1", "10.99.0.2"] as const;

const guard = `management:\n  allow:\n    - { cidr: ${planeAddress}/32, proto: tcp, port: 22 }\n`;
const catalog = `portcullis: 1
hosts:
  web1: { addresses: [${hostAddress}], roles: [web] }
services:
  web: { ingress: [{ from: any, port: 443, proto: tcp }] }
`;
const bouncerConfig = (folder: string): string => `mode: nftables
pid_dir: ${folder}
update_frequency: ${pollSeconds}s
daemonize: false
log_mode: stdout
log_level: info
api_url: http://127.0.0.1:8080/
api_key: bench
supported_decisions_types: [ban]
blacklists_ipv4: crowdsec-blacklists
blacklists_ipv6: crowdsec6-blacklists
nftables:
  ipv4: { enabled: true, set-only: false, table: crowdsec, chain: crowdsec-chain }
  ipv6: { enabled: true, set-only: false, table: crowdsec6, chain: crowdsec6-chain }
prometheus: { enabled: false, listen_addr: 127.0.0.1, listen_port: 60601 }
`;

export async function bench(): Promise<readonly Row[]> {
  const prefix = newPrefix();
  const [plane, host, peer] = ["plane", "host", "peer"].map((label) =>
    makeNamespaceName(prefix, label),
  );
  if (plane === undefined || host === undefined || peer === undefined)
    throw new Error("expected three names");
  const folder = mkdtempSync(join(tmpdir(), "portcullis-footprint-"));
  await makeNamespaces([plane, host, peer]);
  try {
    await joinByCable(
      { namespace: plane, device: "eth0", addresses: [`${planeAddress}/24`] },
      { namespace: host, device: "eth0", addresses: [`${hostAddress}/24`] },
    );
    return await compare(folder, { plane, host, peer });
  } finally {
    await removeNamespaces([plane, host, peer]);
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Names {
  readonly plane: string;
  readonly host: string;
  readonly peer: string;
}

async function compare(folder: string, { plane, host, peer }: Names): Promise<readonly Row[]> {
  const log = openSync(join(folder, "log"), "a");
  const control = await openStandingPlane(plane, planeAddress);
  const running: Awaited<ReturnType<typeof start>>[] = [];
  const keep = async (namespace: string, ...argv: readonly string[]): Promise<number> => {
    const child = await start(inNamespace(namespace, ...argv), log);
    running.push(child);
    return child.pid ?? 0;
  };
  try {
    await control.apply(catalog);
    const ours = await keep(host, ...(await installed(folder, host, control)));
    await keep(peer, process.execPath, here("lapi-stub.ts"));
    // The bouncer ends when nobody answers its first question.
    await waitUntil("the stub to listen", async () =>
      Promise.resolve(
        readFileSync(join(folder, "log"), "utf8").includes("stub listens") || undefined,
      ),
    );
    writeFileSync(join(folder, "bouncer.yaml"), bouncerConfig(folder));
    const bouncer = join(
      await debianFiles("crowdsec-firewall-bouncer"),
      "usr/bin/crowdsec-firewall-bouncer",
    );
    const theirs = await keep(peer, bouncer, "-c", join(folder, "bouncer.yaml"));
    for (const [name, table] of [
      [host, "portcullis"],
      [peer, "crowdsec"],
    ] as const)
      await untilTable(name, table);
    await wait(2 * pollSeconds * 1000);
    const before = { ours: footprint(ours), theirs: footprint(theirs) };
    await wait(polls * pollSeconds * 1000);
    const after = { ours: footprint(ours), theirs: footprint(theirs) };
    const row = (name: string, value: number, floor: number, goal: number): Row => ({
      name: `idle agent beside crowdsec's bouncer, ${name}`,
      value,
      floor,
      ratio: value / floor,
      goal,
    });
    return [
      row("MB resident", after.ours.residentMb, after.theirs.residentMb, 8),
      row("MB of its own", after.ours.anonymousMb, after.theirs.anonymousMb, 12),
      row(
        "CPU ms a poll",
        (after.ours.cpuMs - before.ours.cpuMs) / polls,
        (after.theirs.cpuMs - before.theirs.cpuMs) / polls,
        25,
      ),
    ];
  } catch (cause) {
    throw new Error(readFileSync(join(folder, "log"), "utf8").slice(-2000), { cause });
  } finally {
    for (const child of running.toReversed()) await stop(child);
    await control.close();
    closeSync(log);
  }
}

const untilTable = (namespace: string, table: string): Promise<unknown> =>
  waitUntil(`table ${table}`, async () =>
    (await must(inNamespace(namespace, "nft", "list", "tables"))).includes(` ${table}\n`)
      ? true
      : undefined,
  );

/** The agent out of the package, joined. @returns what runs it */
async function installed(
  folder: string,
  host: string,
  control: Awaited<ReturnType<typeof openStandingPlane>>,
): Promise<readonly string[]> {
  const build = [here("../../package.mjs"), "--out", folder, "--compression", "zstd"];
  const deb =
    (await must([process.execPath, ...build], { timeoutMs: 120_000 })).split(" ")[0] ?? "";
  await must(["dpkg-deb", "-x", deb, join(folder, "root")]);
  writeFileSync(join(folder, "guard.yaml"), guard, { mode: 0o600 });
  const library = join(folder, "root/usr/lib/portcullis");
  const program = join(library, "portcullis-agent.mjs");
  // As its first line says, which names the place where the package puts node.
  const [, option = ""] = /^#!\S+ (\S+)$/m.exec(readFileSync(program, "utf8")) ?? [];
  const agent = [join(library, "node"), option, program];
  const options = ["--state-dir", join(folder, "state"), "--guard", join(folder, "guard.yaml")];
  const { token, root_sha256 } = await control.enrolment("web1");
  const joining = [
    "join",
    control.url,
    "--root-sha256",
    root_sha256,
    "--ca",
    control.ca,
    "--enforce",
    ...options,
  ];
  await must(inNamespace(host, ...agent, ...joining), { input: token });
  return [...agent, "run", ...options];
}

interface Footprint {
  readonly residentMb: number;
  readonly anonymousMb: number;
  readonly cpuMs: number;
}

/** A process with all it started: memory now, CPU since the start (proc(5)). */
function footprint(pid: number): Footprint {
  const own = { ...memory(pid), cpuMs: cpuMs(pid) };
  return childrenOf(pid)
    .map(footprint)
    .reduce(
      (a, b) => ({
        residentMb: a.residentMb + b.residentMb,
        anonymousMb: a.anonymousMb + b.anonymousMb,
        cpuMs: a.cpuMs + b.cpuMs,
      }),
      own,
    );
}

function memory(pid: number): Pick<Footprint, "residentMb" | "anonymousMb"> {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const megabytes = (field: string): number =>
    Number(new RegExp(`^${field}: +(\\d+) kB$`, "m").exec(text)?.[1] ?? Number.NaN) / 1024;
  return { residentMb: megabytes("Rss"), anonymousMb: megabytes("Anonymous") };
}

const tasksOf = (pid: number): readonly string[] =>
  readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`);

/** Nanoseconds of precision: ticks of 10 ms, which every kernel has, are more than an idle minute takes. */
const cpuMs = (pid: number): number => tasksOf(pid).reduce((sum, task) => sum + taskCpuMs(task), 0);

/** From whichever of the two this kernel was built with. */
function taskCpuMs(task: string): number {
  if (existsSync(`${task}/schedstat`))
    return Number(readFileSync(`${task}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  return Number(
    /^se\.sum_exec_runtime +: +([\d.]+)$/m.exec(readFileSync(`${task}/sched`, "utf8"))?.[1],
  );
}

const childrenOf = (pid: number): readonly number[] =>
  tasksOf(pid).flatMap((task) =>
    readFileSync(`${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
