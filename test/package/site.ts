/**
 * Where an installed host lives: a control plane in one network namespace, a host's namespace at the other end of a
 * cable, the packages built from this tree, and a Debian tree to install them in. Everything is removed by `close`.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import {
  joinByCable,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { must, waitUntil } from "#lab/run/process.ts";
import { knockAt, type Word } from "#test/support/connections.ts";
import { openStandingPlane, type StandingPlane } from "#test/support/standing-plane.ts";
import { boot, type Container } from "./container.ts";
import { debianSystem } from "./image.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const admin = { v4: "10.99.0.1", v6: "fd00:99::1" } as const;
export const server = { v4: "10.99.0.2", v6: "fd00:99::2" } as const;
/** Ports that the host listens on: management, two that a catalog may open to everybody, and one that nothing opens. */
export const ports = { management: 22, declared: 8080, later: 8081, undeclared: 2222 } as const;

/** As `ip address` takes them. */
export const withLength = ({ v4, v6 }: typeof admin | typeof server): readonly string[] => [
  `${v4}/24`,
  `${v6}/64`,
];
/** A port of the host, on both families, as a knocker takes it. */
export const targets = (port: number): readonly string[] => [
  `${server.v4} ${port}`,
  `${server.v6} ${port}`,
];

const guard = `management:
  allow:
    - { cidr: ${admin.v4}/32, proto: tcp, port: ${ports.management} }
    - { cidr: "${admin.v6}/128", proto: tcp, port: ${ports.management} }
`;

/** A catalog that opens these ports of the host to everybody. */
export const catalog = (...open: readonly number[]): string => `portcullis: 1
hosts:
  web1: { addresses: [${server.v4}, "${server.v6}"], roles: [web] }
services:
  web:
    ingress:
${open.map((port) => `      - { from: any, port: ${port}, proto: tcp }\n`).join("")}`;

/** systemd listens itself, before anything of ours runs. Nobody accepts: the kernel's handshake is the answer. */
const listeners = `[Unit]
DefaultDependencies=no
Before=portcullis-boot.service sysinit.target
[Socket]
${Object.values(ports)
  .map((port) => `ListenStream=[::]:${port}\n`)
  .join("")}BindIPv6Only=both
Backlog=4096
[Install]
WantedBy=sysinit.target
`;
const holder = "[Service]\nExecStart=/bin/sleep infinity\n";

export interface Site {
  readonly plane: StandingPlane;
  /** The namespace of the control plane and of whoever knocks. */
  readonly outside: string;
  /** The host's. */
  readonly inside: string;
  /** The host's files. */
  readonly tree: string;
  /** Builds the package with this version. @returns its path on the host */
  package(version: string): Promise<string>;
  close(): Promise<void>;
}

export async function openSite(): Promise<Site> {
  const prefix = newPrefix();
  const [outside, inside] = [
    makeNamespaceName(prefix, "outside"),
    makeNamespaceName(prefix, "inside"),
  ];
  const folder = mkdtempSync(join(tmpdir(), "portcullis-site-"));
  const tree = join(folder, "tree");
  mkdirSync(tree);
  await must(["tar", "-xf", await debianSystem(), "-C", tree]);
  await makeNamespaces([outside, inside]);
  const end = (
    namespace: string,
    device: string,
    { v4, v6 }: { readonly v4: string; readonly v6: string },
  ) => ({
    namespace,
    device,
    addresses: [`${v4}/24`, `${v6}/64`],
  });
  await joinByCable(end(outside, "peer", admin), end(inside, "eth0", server));
  const plane = await openStandingPlane(outside, admin.v4);
  await plane.apply(catalog(ports.declared));
  mkdirSync(join(tree, "etc/portcullis"), { recursive: true });
  writeFileSync(join(tree, "etc/portcullis/guard.yaml"), guard, { mode: 0o600 });
  // As an administrator adds an authority to Debian's store.
  cpSync(plane.ca, join(tree, "usr/local/share/ca-certificates/site.crt"));
  await must(["chroot", tree, "update-ca-certificates"]);
  writeFileSync(join(tree, "etc/systemd/system/listeners.socket"), listeners);
  writeFileSync(join(tree, "etc/systemd/system/listeners.service"), holder);
  return {
    plane,
    outside,
    inside,
    tree,
    async package(version) {
      const build = [
        here("../../package.mjs"),
        "--out",
        join(tree, "root"),
        "--compression",
        "zstd",
      ];
      await must([process.execPath, ...build, "--version", version]);
      return `/root/portcullis-agent_${version}_${await architecture()}.deb`;
    },
    async close() {
      await plane.close();
      await removeNamespaces([outside, inside]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const architecture = async (): Promise<string> =>
  (await must(["dpkg", "--print-architecture"])).trim();

export const bootContainer = ({ tree, inside }: Site): Promise<Container> => boot(tree, inside);

/** The host joins by the line that an operator pastes. Its system's store vouches for the control plane. */
export async function joinFleet({ plane }: Site, container: Container): Promise<void> {
  const { token, root_sha256 } = await plane.enrolment("web1");
  const options = ["--root-sha256", root_sha256, "--enforce"];
  await container.must(["portcullis-agent", "join", plane.url, ...options], token);
}

const Status = z.object({ state: z.string(), since: z.iso.datetime(), running: z.boolean() });

/** Starts the agent by `argv`, and waits until this one, not the one before it, runs the signed ruleset. */
export async function converge(container: Container, argv: readonly string[]): Promise<void> {
  const asked = Date.now();
  await container.must(argv);
  await waitUntil("the agent to be steady", async () => {
    const said = await container.must(["portcullis-agent", "status", "--json"]);
    const { state, since, running } = Status.parse(JSON.parse(said));
    return running && state === "steady" && Date.parse(since) >= asked ? true : undefined;
  });
}

/** Knocks once at a port of the host, on both families: `open`, `refused`, `unreachable` or `silent`. */
export const knock = ({ inside, outside }: Site, port: number): Promise<readonly Word[]> =>
  knockAt({ drop: [inside], idle: outside }, outside, targets(port));
