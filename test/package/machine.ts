/**
 * The same Debian tree as a virtual machine with Debian's own kernel: what a container cannot show, a kernel that starts
 * empty, the order of a real boot, and a power cut. Emulated in software, so it runs wherever QEMU does. Its network is a
 * tap in a namespace of the test's.
 */
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { once } from "node:events";
import { inNamespace, runIpBatch } from "#lab/net/netns.ts";
import { must, start } from "#lab/run/process.ts";
import type { Kernel } from "./image.ts";

/** Of the host's disk and network; the rest comes from its own tree. */
const modules = ["virtio_pci", "virtio_blk", "ext4"];

const init = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
while read -r module; do /bin/busybox insmod "/modules/$module"; done </order
/bin/busybox mount -t ext4 -o rw /dev/vda /root
exec /bin/busybox switch_root /root /sbin/init
`;

/** @returns the initramfs that finds the disk */
export async function makeInitramfs(kernel: Kernel, folder: string): Promise<string> {
  const tree = mkdtempSync(join(folder, "initramfs-"));
  for (const name of ["bin", "dev", "modules", "proc", "root"]) mkdirSync(join(tree, name));
  cpSync((await must(["which", "busybox"])).trim(), join(tree, "bin/busybox"), {
    dereference: true,
  });
  const order: string[] = [];
  for (const module of modules) {
    const depends = [
      "modprobe",
      "-d",
      kernel.modules,
      "-S",
      kernel.version,
      "--show-depends",
      module,
    ];
    for (const [, path = ""] of (await must(depends)).matchAll(/^insmod (\S+)/gm)) {
      if (order.includes(basename(path))) continue;
      order.push(basename(path));
      cpSync(path, join(tree, "modules", basename(path)));
    }
  }
  writeFileSync(join(tree, "order"), `${order.join("\n")}\n`);
  writeFileSync(join(tree, "init"), init, { mode: 0o755 });
  const names = await must(["find", tree, "-mindepth", "1", "-printf", "%P\\n"]);
  const archive = `${tree}.cpio`;
  const pack = ["cpio", "-o", "-H", "newc", "--quiet", "-D", tree, "-F", archive];
  await must(pack, { input: names });
  return archive;
}

/** What a bare Debian starts beside us, and no test needs: an emulated machine takes seconds for each. */
const idle = [
  "apt-daily-upgrade.timer",
  "apt-daily.timer",
  "dpkg-db-backup.timer",
  "e2scrub_all.timer",
  "e2scrub_reap.service",
  "fstrim.timer",
  "getty@tty1.service",
  "serial-getty@ttyS0.service",
  "systemd-logind.service",
];

/** What its networkd gives to `eth0`, at once. */
export function makeNetwork(tree: string, addresses: readonly string[]): void {
  const network = [
    "[Match]",
    "Name=eth0",
    "[Network]",
    "IPv6AcceptRA=no",
    "IPv6DuplicateAddressDetection=0",
  ];
  const text = [...network, ...addresses.map((address) => `Address=${address}`)];
  writeFileSync(join(tree, "etc/systemd/network/eth0.network"), `${text.join("\n")}\n`);
}

/** Network of the machine, and the kernel's modules. */
export function makeBootable(tree: string, kernel: Kernel, addresses: readonly string[]): void {
  cpSync(
    join(kernel.modules, "lib/modules", kernel.version),
    join(tree, "lib/modules", kernel.version),
    {
      recursive: true,
    },
  );
  for (const unit of idle) symlinkSync("/dev/null", join(tree, "etc/systemd/system", unit));
  makeNetwork(tree, addresses);
}

/** @returns a disk that holds the tree */
export async function makeDisk(tree: string): Promise<string> {
  const disk = `${tree}.img`;
  rmSync(disk, { force: true });
  await must(["mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, disk, "1200M"]);
  return disk;
}

export interface Machine {
  /** What it said on its console so far. */
  console(): string;
  /** Waits until it has switched itself off. */
  off(): Promise<void>;
  /** Pulls the plug: nothing that the guest has not flushed reaches the disk. */
  cut(): Promise<void>;
}

/** A tap with these addresses in the namespace: the cable that a machine is plugged into. */
export const makeTap = (namespace: string, addresses: readonly string[]): Promise<void> =>
  runIpBatch(namespace, [
    "tuntap add tap0 mode tap",
    ...addresses.map(
      (address) => `address add ${address} dev tap0${address.includes(":") ? " nodad" : ""}`,
    ),
    "link set tap0 up",
  ]);

export interface Start {
  readonly kernel: Kernel;
  readonly initramfs: string;
  readonly disk: string;
  readonly namespace: string;
  /** Added to the kernel's command line. */
  readonly append?: string;
}

/**
 * Switches the machine on. What the guest has written is in this machine's own cache when QEMU is killed, and what it has
 * not is lost: that is the power cut. So QEMU need not flush.
 */
export async function powerOn({
  kernel,
  initramfs,
  disk,
  namespace,
  append = "",
}: Start): Promise<Machine> {
  const log = `${disk}.console`;
  writeFileSync(log, "");
  const file = openSync(log, "a");
  const hardware = [
    "-accel",
    "tcg,tb-size=512",
    "-M",
    "q35",
    "-cpu",
    "max",
    "-m",
    "512",
    "-smp",
    "2",
  ];
  const display = ["-nographic", "-no-reboot"];
  const line =
    `console=ttyS0 quiet panic=1 rw net.ifnames=0 systemd.show_status=0 ${append}`.trim();
  const boot = ["-kernel", kernel.image, "-initrd", initramfs, "-append", line];
  const drive = ["-drive", `file=${disk},if=virtio,format=raw,cache=unsafe`];
  const network = ["-netdev", "tap,id=n,ifname=tap0,script=no,downscript=no"];
  const card = ["-device", "virtio-net-pci,netdev=n,romfile="];
  const argv = [
    "qemu-system-x86_64",
    ...hardware,
    ...display,
    ...boot,
    ...drive,
    ...network,
    ...card,
  ];
  const child = await start(inNamespace(namespace, ...argv), file);
  closeSync(file);
  const off = once(child, "exit");
  return {
    console: () => readFileSync(log, "utf8"),
    async off() {
      await off;
    },
    async cut() {
      if (child.exitCode !== null) return;
      child.kill("SIGKILL");
      await off;
    },
  };
}
