/**
 * Beside the programs themselves, as Debian ships them: each starts, changes, reloads and ends its own rules before and
 * after ours are loaded, and both stay whole. What they load is compared byte for byte, handles included.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openNft } from "#agent/backend/nft/nft.ts";
import { describeRedirect } from "#agent/backend/nft/redirects.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import { openKernel } from "#agent/backend/kernel.ts";
import {
  inNamespace,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import { renderClosed } from "#core/render/index.ts";
import { groupsRuleset, mustRender, testGuard } from "#test/support/rulesets.ts";
import { debianSystem } from "./image.ts";
import { Neighbour } from "./neighbour.ts";

interface Program {
  readonly name: string;
  /** A table that is theirs while they run. */
  readonly table: string;
  readonly start: string;
  /** Changes rules of its own, as its user would. */
  readonly change: string;
  readonly reload: string;
  readonly stop: string;
  /** Hands a port on to somebody else, as its user would, and how that is named. */
  readonly handOn: string;
  readonly handedOn: readonly string[];
  /** True once it has ended: some end after the command that asks them to. */
  readonly ended: string;
}

const jail = `cat > /etc/fail2ban/jail.local <<'END'
[DEFAULT]
banaction = nftables-multiport
backend = polling
[sshd]
enabled = true
logpath = /run/auth.log
port = 22
END
rm -f /etc/fail2ban/jail.d/*; touch /run/auth.log; fail2ban-client start`;

const docker = "docker -H unix:///run/docker-test.sock";
/** A container of one program of the system's own, whose port 80 is published as 8090, and 81 to this host alone. */
const publish =
  `tar -ch -C / bin/sleep $(ldd /bin/sleep | grep -o '/lib[^ ]*' | sed 's|^/||') | ${docker} import - still:1; ` +
  `${docker} run -d --name still -p 8090:80 -p 127.0.0.1:8091:81 still:1 /bin/sleep 600`;
const dockerd =
  "dockerd --data-root /run/docker-data --exec-root /run/docker-exec -H unix:///run/docker-test.sock --pidfile /run/docker-test.pid";

const programs: readonly Program[] = [
  {
    name: "ufw",
    table: "ip filter",
    start: "ufw allow 22/tcp; ufw --force enable",
    change: "ufw deny 23; ufw allow from 192.0.2.0/24 to any port 5432 proto tcp",
    reload: "ufw reload",
    stop: "ufw disable",
    handOn: "ufw allow 8090/tcp",
    handedOn: [],
    ended: "ufw status | grep -q inactive",
  },
  {
    name: "firewalld",
    table: "inet firewalld",
    start:
      "test -S /run/dbus/system_bus_socket || dbus-daemon --system --fork; firewalld; until firewall-cmd --state; do sleep 0.2; done",
    change: "firewall-cmd --add-port=8443/tcp",
    reload: "firewall-cmd --reload",
    stop: "kill $(cat /run/firewalld.pid)",
    handOn: "firewall-cmd --add-forward-port=port=8090:proto=tcp:toport=80:toaddr=192.0.2.9",
    handedOn: ["tcp 8090 by inet firewalld nat_PRE_public_allow"],
    ended: "! firewall-cmd --state",
  },
  {
    name: "fail2ban",
    table: "inet f2b-table",
    start: `${jail}; fail2ban-client set sshd banip 192.0.2.65`,
    change: "fail2ban-client set sshd banip 192.0.2.66",
    reload: "fail2ban-client reload",
    stop: "fail2ban-client stop",
    handOn: "fail2ban-client set sshd banip 192.0.2.67",
    handedOn: [],
    ended: "! fail2ban-client ping",
  },
  {
    name: "docker",
    table: "ip nat",
    start: `${dockerd} >/run/docker-test.log 2>&1 & until ${docker} version >/dev/null 2>&1; do sleep 0.2; done`,
    change: `${docker} network create --subnet 172.30.0.0/24 beside`,
    reload: "kill -HUP $(cat /run/docker-test.pid)",
    stop: "kill $(cat /run/docker-test.pid)",
    handOn: publish,
    handedOn: ["tcp 8090 by ip nat DOCKER"],
    ended: "! test -e /run/docker-test.pid",
  },
];
const packages = [
  "dbus",
  "docker.io",
  "fail2ban",
  "firewalld",
  "iproute2",
  "nftables",
  "procps",
  "ufw",
];

const prefix = newPrefix();
const namespaces = programs.map(({ name }) => makeNamespaceName(prefix, name));
const unpacked = mkdtempSync(join(tmpdir(), "portcullis-neighbours-"));
beforeAll(async () => {
  const system = await debianSystem(packages);
  await must(["tar", "-xf", system, "-C", unpacked, "--exclude=./dev/*"]);
  await makeNamespaces(namespaces);
});
afterAll(async () => {
  await removeNamespaces(namespaces);
  rmSync(unpacked, { recursive: true, force: true });
});

const program = mustRender(groupsRuleset({ dev: ["10.8.0.2", "10.8.0.3"] }));

describe.each(programs)("$name and portcullis", (neighbour) => {
  const namespace = makeNamespaceName(prefix, neighbour.name);
  const nft = (...argv: readonly string[]): Promise<string> =>
    must(inNamespace(namespace, "nft", ...argv));
  const kernel = openKernel(openNft(spawnExec({ prefix: inNamespace(namespace) })));
  const isOurs = (table: string): boolean => table.startsWith("table inet portcullis ");
  const tables = async (): Promise<readonly string[]> =>
    (await nft("-a", "list", "ruleset")).split(/^(?=table )/m).filter((text) => text !== "");
  const theirs = async (): Promise<readonly string[]> =>
    (await tables()).filter((table) => !isOurs(table));
  const ours = async (): Promise<string | undefined> => (await tables()).find(isOurs);
  const runs = async (): Promise<boolean> =>
    (await tables()).some((table) => table.startsWith(`table ${neighbour.table} `));

  let beside: Neighbour;
  beforeAll(async () => {
    beside = await Neighbour.open(unpacked, namespace);
  });
  afterAll(async () => beside.close());

  it("its rules stay as they are when ours are loaded, changed, closed and loaded again", async () => {
    await beside.sh(neighbour.start);
    expect(await runs()).toBe(true);
    const before = await theirs();
    for (const wanted of [program, renderClosed(testGuard), program]) {
      expect(await kernel.load(wanted)).toMatchObject({ ok: true });
      expect(await theirs()).toEqual(before);
    }
  });

  it("ours stay as they are when it changes its rules, loads them anew, ends and starts", async () => {
    const before = await ours();
    expect(before).toBeDefined();
    for (const act of [neighbour.change, neighbour.reload, neighbour.stop]) {
      await beside.sh(act);
      expect(await ours()).toBe(before);
    }
    await beside.until(neighbour.ended);
    await beside.sh(neighbour.start);
    expect(await runs()).toBe(true);
    expect(await ours()).toBe(before);
  });

  it("the ports that it hands on to somebody else are seen, and those alone", async () => {
    const seen = async (): Promise<readonly string[]> => {
      await kernel.readTable();
      return (kernel.others().redirects ?? []).map(describeRedirect);
    };
    expect(await seen()).toEqual([]);
    await beside.sh(neighbour.handOn);
    expect(await seen()).toEqual(neighbour.handedOn);
  });
});
