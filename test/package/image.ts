/**
 * What the hosts of these tests are made of, straight from Debian: a bookworm tree with systemd and nft and no Node, and
 * Debian's kernel. Made once and kept below the machine's temporary folder, by content of the recipe; two
 * runs at once each make their own, and the first to be done wins.
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "#lab/run/process.ts";

const hostPackages = [
  "ca-certificates",
  "conntrack",
  "dbus",
  "init-system-helpers",
  "iproute2",
  "kmod",
  "nftables",
  "systemd",
  "systemd-sysv",
  "udev",
];
const suite = "bookworm";
/** Of the kernel for virtual machines; which one that is today, apt knows. */
const kernelPackage = "linux-image-cloud-amd64";

/** The cache is root's alone: what lies in it is booted with every right. */
function cacheFolder(): string {
  const folder = join(tmpdir(), "portcullis-cache");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0)
    throw new Error(`${folder} is not a folder of this user alone`);
  return folder;
}

/** Makes what is not there yet in a folder beside it, and renames it into place whole. */
async function cached(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const cache = cacheFolder();
  const place = join(cache, name);
  if (existsSync(place)) return place;
  const folder = mkdtempSync(join(cache, ".new-"));
  try {
    await make(folder);
    renameSync(folder, place);
  } catch (error) {
    if (!existsSync(place)) throw error; // else another run was first
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return place;
}

/** @returns a tar of a Debian system with these packages, without Node unless one of them needs it */
export async function debianSystem(packages: readonly string[] = hostPackages): Promise<string> {
  const recipe = createHash("sha256")
    .update([suite, ...packages].join("\n"))
    .digest("hex")
    .slice(0, 12);
  const folder = await cached(`system-${recipe}`, async (made) => {
    const options = ["--variant=minbase", `--include=${packages.join(",")}`];
    const apt = ['--aptopt=APT::Install-Recommends "false"'];
    await must(["mmdebstrap", "--quiet", ...options, ...apt, suite, join(made, "root.tar")], {
      timeoutMs: 300_000,
    });
  });
  return join(folder, "root.tar");
}

export interface Kernel {
  readonly version: string;
  readonly image: string;
  /** Folder that holds `lib/modules`, with their index. */
  readonly modules: string;
}

/** @returns the folder of a Debian package's files, unpacked and never installed */
export const debianFiles = (name: string): Promise<string> =>
  cached(name, async (made) => {
    await must(["env", `--chdir=${made}`, "apt-get", "-qq", "download", name]);
    const archive = readdirSync(made).find((file) => file.endsWith(".deb"));
    if (archive === undefined) throw new Error(`apt brought no ${name}`);
    await must(["dpkg-deb", "-x", join(made, archive), made]);
    rmSync(join(made, archive));
  });

export async function debianKernel(): Promise<Kernel> {
  const depends = await must(["apt-cache", "depends", kernelPackage]);
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new Error(`apt knows no ${kernelPackage}`);
  const version = name.slice("linux-image-".length);
  const folder = await debianFiles(name);
  await must(["depmod", "-b", folder, version]);
  return { version, image: join(folder, "boot", `vmlinuz-${version}`), modules: folder };
}
