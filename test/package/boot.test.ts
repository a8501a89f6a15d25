/**
 * The shipped package through real boots of a virtual machine: a kernel that starts empty, Debian's own order of units,
 * and somebody who knocks from before the network is up. The tests are one story, in order.
 */
import { copyFileSync, constants } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ipBatch } from "#lab/netns.ts";
import { debianKernel, type Kernel } from "./image.ts";
import { makeBootable, makeDisk, makeInitramfs, makeTap, powerOn } from "./machine.ts";
import {
  admin,
  bootContainer,
  catalog,
  converge,
  joinFleet,
  openSite,
  ports,
  server,
  type Site,
} from "./site.ts";
import { type Answers, whileKnocking } from "./watch.ts";

const withLength = ({ v4, v6 }: typeof admin | typeof server): readonly string[] => [`${v4}/24`, `${v6}/64`];
const targets = (port: number): readonly string[] => [`${server.v4} ${port}`, `${server.v6} ${port}`];

let site: Site;
let kernel: Kernel;
let initramfs: string;
let disk: string;

/** A host that committed a ruleset in a container, as a disk of a machine that is off. */
beforeAll(async () => {
  site = await openSite();
  const container = await bootContainer(site);
  try {
    await container.must(["dpkg", "-i", await site.package("0.1.0")]);
    await joinFleet(site, container);
    await converge(container, ["systemctl", "start", "portcullis-agent"]);
    await container.must(["systemctl", "enable", "listeners.socket", "systemd-networkd"]);
  } finally {
    await container.stop();
  }
  kernel = await debianKernel();
  initramfs = await makeInitramfs(kernel, `${site.tree}/..`);
  makeBootable(site.tree, kernel, withLength(server));
  disk = await makeDisk(site.tree);
  await ipBatch(site.outside, ["link del peer"]);
  await makeTap(site.outside, withLength(admin));
}, 400_000);
afterAll(async () => {
  await site?.close();
}, 60_000);

/** Emulated, beside whatever else this machine does. */
const patienceMs = 240_000;

/** Switches on, and knocks at every port for as long as `work` takes. @returns the answers of both families together */
async function knocksDuringBoot(
  from: string,
  append: string,
  work: (opened: (port: number) => Promise<void>) => Promise<void>,
): Promise<(port: number) => Answers> {
  const all = Object.values(ports).flatMap(targets);
  const answers = await whileKnocking(site.outside, all, async (watch) => {
    const machine = await powerOn({ kernel, initramfs, disk: from, namespace: site.outside, append });
    try {
      await work((port) => watch.opened(targets(port), patienceMs));
    } catch (cause) {
      throw new Error(`the console said: ${machine.console().slice(-2000)}`, { cause });
    } finally {
      await machine.cut();
    }
  });
  return (port) => sum(targets(port).map((target) => answers.get(target) ?? none));
}

const none: Answers = { open: 0, refused: 0, unreachable: 0, silent: 0 };
const sum = (all: readonly Answers[]): Answers =>
  all.reduce((a, b) => ({
    open: a.open + b.open,
    refused: a.refused + b.refused,
    unreachable: a.unreachable + b.unreachable,
    silent: a.silent + b.silent,
  }));

test("control: with the units masked, the same disk is seen open", async () => {
  const copy = `${disk}.open`;
  copyFileSync(disk, copy, constants.COPYFILE_FICLONE);
  const masked = "systemd.mask=portcullis-boot.service systemd.mask=portcullis-agent.service";
  const answers = await knocksDuringBoot(copy, masked, (opened) => opened(ports.undeclared));
  expect(answers(ports.undeclared).open).toBeGreaterThan(0);
});

test("a cold boot lets nobody in, before the network is up or after, and management at once", async () => {
  const answers = await knocksDuringBoot(disk, "", async (opened) => {
    await opened(ports.declared);
    await site.plane.apply(catalog(ports.declared, ports.later));
    // Loaded, and hardly committed: the plug is pulled now.
    await opened(ports.later);
  });
  expect(answers(ports.undeclared)).toMatchObject({ open: 0, refused: 0 });
  expect(answers(ports.management).open).toBeGreaterThan(0);
  expect(answers(ports.declared).open).toBeGreaterThan(0);
});

test("after a power cut within an apply it boots into a committed ruleset, and goes on from there", async () => {
  const answers = await knocksDuringBoot(disk, "", (opened) => opened(ports.later));
  expect(answers(ports.undeclared)).toMatchObject({ open: 0, refused: 0 });
  expect(answers(ports.management).open).toBeGreaterThan(0);
});
