/**
 * Beside the rules of other programs: whatever the agent does to its own table, theirs stay byte for byte, handles and
 * counters included, so that nobody can have loaded them anew. The rules are in the shape that these programs leave in
 * the kernel, loaded by nft; the programs themselves run in test/package/neighbour.test.ts.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import { Witness } from "#agent/backend/nft/witness.ts";
import { openKernel } from "#agent/backend/kernel.ts";
import { DriftLog } from "#agent/observe/drift-log.ts";
import { Patrol } from "#agent/observe/patrol.ts";
import {
  inNamespace,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import { renderClosed } from "#core/render/index.ts";
import { groupsRuleset, mustRender, ruleOf, rulesetOf, testGuard } from "#test/support/rulesets.ts";

const ufw = (family: "ip" | "ip6", user: string, ping: string): string => `
table ${family} filter {
  chain ${user}-before-input {
    iifname "lo" counter packets 12 bytes 1008 accept
    ct state related,established counter packets 5150 bytes 407212 accept
    ct state invalid counter packets 3 bytes 120 jump ${user}-logging-deny
    ct state invalid counter packets 3 bytes 120 drop
    ${ping}
    counter packets 77 bytes 5100 jump ${user}-user-input
  }
  chain ${user}-user-input {
    tcp dport 22 counter packets 9 bytes 540 accept
    tcp dport { 80, 443 } counter packets 41 bytes 2460 accept
  }
  chain ${user}-logging-deny {
    limit rate 3/minute burst 10 packets counter packets 0 bytes 0 log prefix "[UFW BLOCK] "
  }
  chain INPUT {
    type filter hook input priority filter; policy drop;
    counter packets 5239 bytes 414000 jump ${user}-before-input
  }
}`;

const docker = `
table ip nat {
  chain DOCKER {
    iifname "docker0" counter packets 0 bytes 0 return
    iifname != "docker0" tcp dport 8080 counter packets 4 bytes 240 dnat to 172.17.0.2:80
  }
  chain PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local counter packets 31 bytes 1900 jump DOCKER
  }
  chain POSTROUTING {
    type nat hook postrouting priority srcnat; policy accept;
    oifname != "docker0" ip saddr 172.17.0.0/16 counter packets 8 bytes 480 masquerade
  }
}
table ip filter {
  chain DOCKER-USER {
    counter packets 200 bytes 16000 return
  }
  chain DOCKER-ISOLATION-STAGE-2 {
    oifname "docker0" counter packets 0 bytes 0 drop
    counter packets 2 bytes 120 return
  }
  chain FORWARD {
    type filter hook forward priority filter; policy accept;
    counter packets 200 bytes 16000 jump DOCKER-USER
    iifname "docker0" oifname != "docker0" counter packets 2 bytes 120 jump DOCKER-ISOLATION-STAGE-2
    oifname "docker0" ct state related,established counter packets 190 bytes 15000 accept
  }
}`;

const fail2ban = `
table inet f2b-table {
  set addr-set-sshd {
    type ipv4_addr
    elements = { 192.0.2.66, 198.51.100.7 }
  }
  set addr6-set-sshd {
    type ipv6_addr
    elements = { 2001:db8::66 }
  }
  chain f2b-chain {
    type filter hook input priority filter - 1; policy accept;
    tcp dport 22 ip saddr @addr-set-sshd reject with icmp port-unreachable
    tcp dport 22 ip6 saddr @addr6-set-sshd reject with icmpv6 port-unreachable
  }
}`;

const crowdsec = (table: string, family: "ip" | "ip6", type: string, address: string): string => `
table ${family} ${table} {
  set ${table}-blacklists {
    type ${type}
    flags timeout
    elements = { ${address} timeout 4h }
  }
  chain ${table}-chain {
    type filter hook input priority filter - 10; policy accept;
    ${family} saddr @${table}-blacklists counter packets 6 bytes 360 drop
  }
}`;

const firewalld = `
table inet firewalld {
  ct helper helper-ftp-tcp {
    type "ftp" protocol tcp
    l3proto inet
  }
  chain filter_INPUT_ZONES {
    iifname vmap { "eth9" : goto filter_IN_public }
    goto filter_IN_public
  }
  chain filter_IN_public {
    tcp dport 22 accept
  }
  chain filter_INPUT {
    type filter hook input priority filter + 10; policy accept;
    ct state { established, related } accept
    iifname "lo" accept
    jump filter_INPUT_ZONES
    reject with icmpx admin-prohibited
  }
}`;

const theirs = [
  ufw("ip", "ufw", "icmp type echo-request counter packets 1 bytes 84 accept"),
  ufw(
    "ip6",
    "ufw6",
    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } counter packets 2 bytes 144 accept",
  ),
  docker,
  fail2ban,
  crowdsec("crowdsec", "ip", "ipv4_addr", "203.0.113.66"),
  crowdsec("crowdsec6", "ip6", "ipv6_addr", "2001:db8::bad"),
  firewalld,
].join("\n");

const namespace = makeNamespaceName(newPrefix(), "beside");
const prefix = inNamespace(namespace);
const directory = mkdtempSync(join(tmpdir(), "portcullis-beside-"));
const agentProgram = fileURLToPath(new URL("../../agent/main.ts", import.meta.url));
const overlays = groupsRuleset({ dev: ["10.8.0.2", "10.8.0.3"] });
const program = mustRender({
  ...overlays,
  scopes: [{ kind: "host" }, ...overlays.scopes],
  rules: [
    ruleOf({ scope: "host", direction: "in", verdict: "drop", counter: "r_rest" }),
    ...overlays.rules,
  ],
});
const nftText = (...argv: readonly string[]): Promise<string> => must([...prefix, "nft", ...argv]);
const feed = (input: string): Promise<string> => must([...prefix, "nft", "-f", "-"], { input });
const ours = (text: string): boolean => text.startsWith("table inet portcullis ");
const agent = (...argv: readonly string[]): Promise<string> =>
  must(
    [...prefix, process.execPath, agentProgram, ...argv].concat(
      ["--state-dir", join(directory, "state")],
      ["--guard", join(directory, "guard.yaml")],
    ),
  );

/** Everybody's tables but ours, as nft lists them; what is left of a ban's time runs, of course. */
async function others(): Promise<string> {
  const tables = (await nftText("-a", "list", "ruleset")).split(/^(?=table )/m);
  return tables
    .filter((text) => !ours(text))
    .join("")
    .replaceAll(/ expires \S+/g, "");
}
const oursStands = async (): Promise<boolean> =>
  (await nftText("list", "ruleset")).split(/^(?=table )/m).some(ours);

const kernel = openKernel(openNft(spawnExec({ prefix })));
const patrol = new Patrol({
  kernel,
  follow: () => Promise.resolve(),
  nft: "nft",
  witness: new Witness(),
  log: new DriftLog(),
  intended: () => program,
  mode: () => "repair",
  now: Date.now,
  tell: () => undefined,
});

let before: string;
beforeAll(async () => {
  writeFileSync(join(directory, "guard.yaml"), "management:\n  interfaces: [mgmt0]\n", {
    mode: 0o600,
  });
  await makeNamespaces([namespace]);
  await feed(theirs);
  before = await others();
  expect(before.match(/^table /gm)).toHaveLength(7);
});
afterAll(async () => {
  await removeNamespaces([namespace]);
  rmSync(directory, { recursive: true, force: true });
});

it("applies keep the rules of others as they are", async () => {
  const small = mustRender(rulesetOf({ scopes: [{ kind: "host" }] }));
  for (const wanted of [program, small, renderClosed(testGuard), program]) {
    expect(await kernel.load(wanted)).toMatchObject({ ok: true });
    expect(await others()).toBe(before);
  }
});

it.each([
  ["a rule in our chain", "insert rule inet portcullis input accept"],
  ["our rules flushed", "flush table inet portcullis"],
  ["our table deleted", "delete table inet portcullis"],
])("repairs of %s keep the rules of others as they are", async (_, tampering) => {
  await feed(`${tampering}\n`);
  expect(await patrol.check()).toMatchObject({ last: { repaired: true } });
  expect(await others()).toBe(before);
});

it("names of them, which drop what we accept, those whose drop is certain", () => {
  expect(
    kernel
      .others()
      .drops?.map(({ family, table, by }) => `${family} ${table} ${by}`)
      .toSorted(),
  ).toEqual(["inet firewalld rule", "ip filter policy", "ip6 filter policy"]);
});

it("closed and leave keep the rules of others as they are, and leave takes our table away", async () => {
  await agent("closed");
  expect(await others()).toBe(before);
  expect(await oursStands()).toBe(true);
  await agent("leave");
  expect(await others()).toBe(before);
  expect(await oursStands()).toBe(false);
});
