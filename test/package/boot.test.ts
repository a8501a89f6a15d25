/**
 * The shipped package through real boots of a virtual machine: a kernel that starts empty, Debian's own order of units,
 * and somebody who knocks from before the network is up. The tests are one story, in order.
 */
import { copyFileSync, constants, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runIpBatch } from "#lab/net/netns.ts";
import { debianKernel, type Kernel } from "./image.ts";
import {
  type Machine,
  makeBootable,
  makeDisk,
  makeInitramfs,
  makeTap,
  powerOn,
} from "./machine.ts";
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
  targets,
  withLength,
} from "./site.ts";
import { type Answers, sumOf, whileKnocking } from "./watch.ts";

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
  await runIpBatch(site.outside, ["link del peer"]);
  await makeTap(site.outside, withLength(admin));
});
afterAll(async () => {
  await site?.close();
});

interface Up {
  readonly machine: Machine;
  /** Waits until a port has answered on both families. */
  readonly opened: (port: number) => Promise<void>;
  /** What both families together have answered so far. */
  readonly soFar: (port: number) => Answers;
}

/** Switches on, and knocks at every port for as long as `work` takes. @returns the answers of both families together */
async function knocksDuringBoot(
  from: string,
  append: string,
  work: (up: Up) => Promise<void>,
): Promise<(port: number) => Answers> {
  const all = Object.values(ports).flatMap(targets);
  const answers = await whileKnocking(site.outside, all, async (watch) => {
    const machine = await powerOn({
      kernel,
      initramfs,
      disk: from,
      namespace: site.outside,
      append,
    });
    const opened = (port: number): Promise<void> => watch.opened(targets(port));
    try {
      await work({ machine, opened, soFar: (port) => sumOf(watch.soFar(), targets(port)) });
    } catch (cause) {
      throw new Error(`the console said: ${machine.console().slice(-2000)}`, { cause });
    } finally {
      await machine.cut();
    }
  });
  return (port) => sumOf(answers, targets(port));
}

test("control: with the units masked, the same disk is seen open", async () => {
  const copy = `${disk}.open`;
  copyFileSync(disk, copy, constants.COPYFILE_FICLONE);
  const masked = "systemd.mask=portcullis-boot.service systemd.mask=portcullis-agent.service";
  const answers = await knocksDuringBoot(copy, masked, ({ opened }) => opened(ports.undeclared));
  expect(answers(ports.undeclared).open).toBeGreaterThan(0);
});

test("a cold boot lets nobody in, before the network is up or after, and management at once", async () => {
  const answers = await knocksDuringBoot(disk, "", async ({ opened }) => {
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
  const answers = await knocksDuringBoot(disk, "", ({ opened }) => opened(ports.later));
  expect(answers(ports.undeclared)).toMatchObject({ open: 0, refused: 0 });
  expect(answers(ports.management).open).toBeGreaterThan(0);
});

/** As Debian ships it, but for a set that takes a while to load, and rules that let everybody in. */
const flushing = `#!/usr/sbin/nft -f

flush ruleset

table inet filter {
	set many {
		type ipv4_addr
		elements = { ${Array.from({ length: 20_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`).join(", ")} }
	}
	chain input {
		type filter hook input priority filter; policy accept;
	}
}
`;
/** Switches off in order, a while after somebody was let in: that starts the listeners' service. */
const leaving = `[Unit]
After=multi-user.target
[Service]
Type=exec
ExecStart=/bin/sh -c 'until systemctl -q is-active listeners.service; do sleep 1; done; sleep 5; systemctl poweroff'
`;

test("beside Debian's nftables.service, which flushes, it lets nobody in before the network is up, and is back after its stop", async () => {
  const { tree } = site;
  const wants = join(tree, "etc/systemd/system/sysinit.target.wants");
  mkdirSync(wants, { recursive: true });
  symlinkSync("/lib/systemd/system/nftables.service", join(wants, "nftables.service"));
  writeFileSync(join(tree, "etc/nftables.conf"), flushing, { mode: 0o755 });
  writeFileSync(join(tree, "etc/systemd/system/leaving.service"), leaving);
  const beside = await makeDisk(tree);
  // Without the agent, which would bring the table back within two seconds.
  const said = "systemd.show_status=1 systemd.journald.forward_to_console=1";
  const append = `systemd.mask=portcullis-agent.service systemd.wants=leaving.service ${said}`;
  const answers = await knocksDuringBoot(beside, append, async ({ opened, soFar, machine }) => {
    await opened(ports.declared);
    expect(soFar(ports.undeclared)).toMatchObject({ open: 0, refused: 0 });
    await machine.off();
    // For the blink of an eye between the two nothing filters: what flushes is not ours to change.
    expect(machine.console()).toMatch(/Stopping .*nftables[^]*portcullis: loaded/);
  });
  expect(answers(ports.undeclared)).toMatchObject({ open: 0 });
  expect(answers(ports.management).open).toBeGreaterThan(0);
});
