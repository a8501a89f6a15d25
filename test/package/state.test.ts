/**
 * Boots of an installed host whose state directory fails, under Debian's own systemd, with the agent disabled: a kernel
 * that holds no rules, a network that its own networkd brings up, and somebody who knocks from before that.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inNamespace, runIpBatch } from "#lab/net/netns.ts";
import { must, run, waitUntil } from "#lab/run/process.ts";
import type { Container } from "./container.ts";
import { makeNetwork } from "./machine.ts";
import {
  bootContainer,
  converge,
  joinFleet,
  knock,
  openSite,
  ports,
  server,
  type Site,
  targets,
  withLength,
} from "./site.ts";
import { sumOf, whileKnocking } from "./watch.ts";

let site: Site;
/** The host's state directory and what lies beside its guard file, and copies of both as the host left them. */
let places: readonly { readonly place: string; readonly whole: string }[];
const [state, fallback] = ["var/lib/portcullis", "etc/portcullis/fallback"] as const;
const at = (path: string): string => join(site.tree, path);

/** A host that committed, and whose agent is disabled since. */
beforeAll(async () => {
  site = await openSite();
  const host = await bootContainer(site);
  try {
    await host.must(["dpkg", "-i", await site.package("0.1.0")]);
    await joinFleet(site, host);
    await converge(host, ["systemctl", "start", "portcullis-agent"]);
    await host.must(["systemctl", "disable", "--now", "portcullis-agent"]);
    await host.must(["systemctl", "enable", "listeners.socket", "systemd-networkd"]);
  } finally {
    await host.stop();
  }
  makeNetwork(site.tree, withLength(server));
  places = [state, fallback].map((path, i) => ({ place: at(path), whole: at(`../whole${i}`) }));
  for (const { place, whole } of places) renameSync(place, whole);
});
afterAll(async () => {
  if (mounted()) execFileSync("umount", [at(state)]);
  await site?.close();
});

const mounted = (): boolean => readFileSync("/proc/self/mounts", "utf8").includes(` ${at(state)} `);

/** Everything as the host left it. */
function mend(): void {
  if (mounted()) execFileSync("umount", [at(state)]);
  for (const { place, whole } of places) {
    rmSync(place, { recursive: true, force: true });
    cpSync(whole, place, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    chmodSync(place, 0o700);
  }
}

type Open = readonly string[];
/** What answered while it booted, what answers once its network is up, and what the boot unit said. */
interface Booted {
  readonly meanwhile: Open;
  readonly afterwards: Open;
  readonly said: string;
  /** The boot unit had ended before whoever brings the network up began: a shorter while than a knock is not missed. */
  readonly inTime: boolean;
}

/** Boots as it is, with a kernel that holds no rules and a cable that is out until its own networkd puts it in. */
async function booted(): Promise<Booted> {
  await must(inNamespace(site.inside, "nft", "flush", "ruleset"));
  await runIpBatch(site.inside, ["link set eth0 down", "address flush dev eth0"]);
  const names = Object.entries(ports);
  const afterwards: string[] = [];
  let said = "";
  let inTime = false;
  const answers = await whileKnocking(
    site.outside,
    names.map(([, port]) => port).flatMap(targets),
    async () => {
      const host = await bootContainer(site);
      try {
        for (const address of [server.v4, server.v6]) await answering(address);
        for (const [name, port] of names)
          if ((await knock(site, port)).includes("open")) afterwards.push(name);
        const units = ["portcullis-boot", "portcullis-boot-again"].flatMap((unit) => ["-u", unit]);
        said = await host.must(["journalctl", "-b", "-o", "cat", ...units]);
        const ended = await moment(host, "ExecMainExit", "portcullis-boot.service");
        inTime =
          ended > 0 && ended < (await moment(host, "InactiveExit", "systemd-networkd.service"));
      } finally {
        await host.stop();
      }
    },
  );
  const meanwhile = names
    .filter(([, port]) => sumOf(answers, targets(port)).open > 0)
    .map(([name]) => name);
  return { meanwhile, afterwards, said, inTime };
}

/** When a unit last did so, in microseconds of the monotonic clock; 0 for never. */
const moment = async (host: Container, what: string, unit: string): Promise<number> =>
  Number(
    await host.must(["systemctl", "show", "--value", "-p", `${what}TimestampMonotonic`, unit]),
  );

/** Echo requests always pass: a host that answers one has its network. */
const answering = (address: string): Promise<true> =>
  waitUntil(`${address} to answer`, async () => {
    const { code } = await run(
      inNamespace(site.outside, "ping", "-n", "-c", "1", "-W", "1", address),
    );
    return code === 0 ? true : undefined;
  });

test("control: with its boot unit masked, it is seen open", async () => {
  mend();
  const mask = at("etc/systemd/system/portcullis-boot.service");
  symlinkSync("/dev/null", mask);
  expect((await booted()).meanwhile).toContain("undeclared");
  rmSync(mask);
});

const lastGood = ["management", "declared"];
const closed = ["management"];

const cut = (...paths: readonly string[]): void =>
  paths.forEach((path) => truncateSync(path, Math.floor(statSync(path).size / 2)));
const files = (): readonly string[] =>
  readdirSync(at(state), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
/** What boot reads; of everything else one boot is enough. */
const read = ["slots/a/ruleset.nft", "slots/a/seal", "closed.nft", "closed.seal", "enforced"];

/** Puts the state directory on a disk without a byte or a file left. */
function fill(): void {
  execFileSync("mount", [
    "-t",
    "tmpfs",
    "-o",
    "size=8m,nr_inodes=100,mode=700",
    "portcullis-test",
    at(state),
  ]);
  cpSync(places[0]?.whole ?? "", at(state), { recursive: true, verbatimSymlinks: true });
  const { bfree, bsize, ffree } = statfsSync(at(state));
  for (let n = 1; n < ffree; n += 1) writeFileSync(join(at(state), `filling-${n}`), "");
  writeFileSync(join(at(state), "filling"), Buffer.alloc(bfree * bsize));
}

const failures: readonly (readonly [string, Open, () => void])[] = [
  ["fails in nothing", lastGood, () => undefined],
  ["is full", lastGood, fill],
  ["is gone", closed, () => rmSync(at(state), { recursive: true })],
  ["belongs to somebody else", closed, () => chownSync(at(state), 1000, 1000)],
  ["cannot be entered", closed, () => chmodSync(at(state), 0o000)],
  ["has its ruleset cut short", closed, () => cut(join(at(state), "slots/a/ruleset.nft"))],
  ["has its seal cut short", closed, () => cut(join(at(state), "slots/a/seal"))],
  ["has its closed ruleset cut short", lastGood, () => cut(join(at(state), "closed.nft"))],
  [
    "has its closed ruleset's digest cut short",
    lastGood,
    () => cut(join(at(state), "closed.seal")),
  ],
  [
    "has every other file cut short",
    lastGood,
    () => cut(...files().filter((path) => !read.some((leaf) => path.endsWith(leaf)))),
  ],
  ["has every file cut short", closed, () => cut(...files())],
  [
    "is gone, and so is what lies beside the guard",
    [],
    () => [state, fallback].forEach((path) => rmSync(at(path), { recursive: true })),
  ],
];

test.each(failures)(
  "with its agent disabled and a state directory that %s, only %j are let in",
  async (_, open, fail) => {
    mend();
    fail();
    const { said, ...seen } = await booted();
    expect(seen, said).toEqual({ meanwhile: open, afterwards: open, inTime: true });
  },
);
