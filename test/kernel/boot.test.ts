/** What boot loads with sh, nft and coreutils alone, into a kernel that holds nothing of ours. */
import {
  chmodSync,
  chownSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { keepClosed, keepMark } from "#agent/cycle/fallback.ts";
import { makeSlotSeal, standaloneText } from "#agent/disk/slots.ts";
import { renderClosed } from "#core/render/index.ts";
import { testGuard } from "#test/support/rulesets.ts";
import { BootHost } from "./boot-host.ts";

let host: BootHost;
beforeAll(async () => void (host = await BootHost.open()));
afterAll(() => host.close());
beforeEach(() => host.wipe());

const inSlots = (leaf: string): readonly string[] =>
  ["a", "b"].map((name) => join(host.directory, "slots", name, leaf));

test("loads the newest committed slot", async () => {
  host.join();
  for (const seq of [1, 2, 3]) {
    host.commit(seq);
    expect(await host.boot()).toBe(`seq ${seq}`);
  }
});

test.each([2, 3])(
  "loads what was committed last, where the agent could read neither of %i rulesets",
  async (many) => {
    host.join();
    for (let seq = 1; seq <= many; seq += 1) host.commit(seq);
    // Whole for sh, and not for the agent: as after an update that reads its own files otherwise.
    for (const path of inSlots("program.json")) writeFileSync(path, "{}");
    host.commit(many + 1);
    expect(await host.boot()).toBe(`seq ${many + 1}`);
    host.commit(many + 2);
    expect(await host.boot()).toBe(`seq ${many + 2}`);
  },
);

test("keeps what boot would load while a candidate is staged that nobody could compare with it", async () => {
  host.join();
  for (const seq of [1, 2, 3]) host.commit(seq);
  for (const path of inSlots("meta.json")) writeFileSync(path, "{}");
  host.stage(4);
  expect(await host.boot()).toBe("seq 3");
});

test.each(["directory", "fallback"] as const)(
  "closes by the copy that was written last, where the guard changed and only its %s took it",
  async (newer) => {
    host.join();
    host.commit(1);
    const older = newer === "directory" ? "fallback" : "directory";
    const former = { ...testGuard, management: { interfaces: ["old0"], allow: [] } };
    keepClosed(host[older], former);
    utimesSync(join(host[older], "closed.seal"), 1_000, 1_000);
    for (const path of inSlots("ruleset.nft")) rmSync(path, { force: true });
    expect(await host.boot()).toBe("closed");
  },
);

test("leaves a host alone that never committed, with a candidate on its disk or without", async () => {
  host.join();
  expect(await host.boot()).toBe("nothing");
  expect(makeSlotSeal(host.directory, host.stage(1))).toBe("pending");
  expect(await host.boot()).toBe("nothing");
});

test.each(["ruleset.nft", "seal"])(
  "loads the other slot when the newest one's %s is torn",
  async (leaf) => {
    host.join();
    host.commit(1);
    host.commit(2);
    truncateSync(join(host.directory, "slots", "b", leaf), 40);
    expect(await host.boot()).toBe("seq 1");
  },
);

test.each([
  ["are torn", () => inSlots("ruleset.nft").forEach((path) => truncateSync(path, 100))],
  ["are empty", () => inSlots("ruleset.nft").forEach((path) => truncateSync(path, 0))],
  ["have lost their seals", () => inSlots("seal").forEach((path) => writeFileSync(path, ""))],
  ["are gone", () => rmSync(join(host.directory, "slots"), { recursive: true })],
])("closes, with management, when both slots %s", async (_, damage) => {
  host.join();
  host.commit(1);
  host.commit(2);
  damage();
  expect(await host.boot()).toBe("closed");
});

test.each(["closed", "fallen"])("closes a host that was %s when it went down", async (mark) => {
  host.join();
  host.commit(1);
  writeFileSync(join(host.directory, mark), "");
  expect(await host.boot()).toBe("closed");
});

test("closes by the copy beside the guard when the closed ruleset is torn as well, and lets nothing new in when both are", async () => {
  host.join();
  host.commit(1);
  for (const path of [...inSlots("seal").slice(0, 1), join(host.directory, "closed.nft")])
    truncateSync(path, 0);
  expect(await host.boot()).toBe("closed");
  truncateSync(join(host.fallback, "closed.nft"), 0);
  expect(await host.boot()).toBe("last resort");
});

test("the last resort is the closed ruleset of a guard that knows nobody, step by step", async () => {
  expect(await host.boot()).toBe("last resort");
  const last = await host.nft("-s", "list", "ruleset");
  const file = join(host.base, "closed.nft");
  writeFileSync(file, standaloneText(renderClosed(testGuard)));
  await host.nft("-f", file);
  const closed = (await host.nft("-s", "list", "ruleset")).split("\n");
  expect(last).toBe(closed.filter((line) => !line.includes("mgmt0")).join("\n"));
  for (const step of ["ct state invalid", "nd-router-solicit", "mld-listener-query"])
    expect(last).toContain(step);
});

describe("a state directory that fails", () => {
  const failures: readonly (readonly [string, () => void])[] = [
    ["is gone", () => rmSync(host.directory, { recursive: true })],
    [
      "is empty",
      () =>
        readdirSync(host.directory).forEach((name) =>
          rmSync(join(host.directory, name), { recursive: true }),
        ),
    ],
    ["belongs to somebody else", () => chownSync(host.directory, 1000, 1000)],
    ["may be written by others", () => chmodSync(host.directory, 0o777)],
    ["cannot be entered", () => chmodSync(host.directory, 0o000)],
  ];

  test.each(failures)(
    "closes a host that committed, with management, when it %s",
    async (_, fail) => {
      host.join();
      host.commit(1);
      fail();
      expect(await host.boot()).toBe("closed");
      chmodSync(host.fallback, 0o000);
      expect(await host.boot()).toBe("last resort");
    },
  );

  test("lets nothing new in when it is gone and so is what lies beside the guard", async () => {
    expect(await host.boot()).toBe("last resort");
  });

  test("leaves a host alone that never committed when it is gone, and closes it when it cannot be read", async () => {
    host.join();
    rmSync(host.directory, { recursive: true });
    expect(await host.boot()).toBe("nothing");
    host.join();
    chownSync(host.directory, 1000, 1000);
    expect(await host.boot()).toBe("closed");
  });

  test("closes a host that was closed before its first commit when it is gone", async () => {
    host.join();
    writeFileSync(join(host.directory, "fallen"), "");
    keepMark(host.fallback, host.directory);
    rmSync(host.directory, { recursive: true });
    expect(await host.boot()).toBe("closed");
  });

  test("whichever file of it is cut short, boots into what was committed or closes", async () => {
    host.join();
    host.commit(1);
    host.commit(2);
    const whole = `${host.directory}.whole`;
    cpSync(host.directory, whole, { recursive: true });
    const files = readdirSync(whole, { recursive: true, withFileTypes: true }).filter((each) =>
      each.isFile(),
    );
    expect(files.length).toBeGreaterThan(8);
    for (const { parentPath, name } of files) {
      const path = join(parentPath, name).replace(whole, host.directory);
      for (const share of [0, 0.5, 0.98]) {
        cpSync(whole, host.directory, { recursive: true });
        truncateSync(path, Math.floor(statSync(path).size * share));
        expect(["seq 1", "seq 2", "closed"], `${path} at ${share}`).toContain(await host.boot());
      }
    }
  });
});

test("loads again what another firewall flushed, and nothing where our table is or none is due", async () => {
  host.join();
  await host.restore("missing");
  expect(await host.held()).toBe("nothing");
  host.commit(1);
  expect(await host.boot()).toBe("seq 1");
  host.commit(2);
  await host.restore("missing");
  expect(await host.held()).toBe("seq 1");
  await host.nft("flush ruleset; add table inet theirs; add chain inet theirs portcullis");
  await host.restore("missing");
  expect(await host.held()).toBe("seq 2");
});

const unit = (name: string): ReadonlyMap<string, readonly string[]> => {
  const text = readFileSync(join(import.meta.dirname, "..", "..", "agent", "units", name), "utf8");
  const lines = [...text.matchAll(/^(\w+)=(.*)$/gm)];
  return new Map(
    [...new Set(lines.map(([, key = ""]) => key))].map((key) => [
      key,
      lines.filter(([, found]) => found === key).flatMap(([, , value = ""]) => value.split(" ")),
    ]),
  );
};
const script =
  "/bin/sh /usr/lib/portcullis/restore.sh /var/lib/portcullis /etc/portcullis/fallback /usr/sbin/nft";

test("the boot unit needs nothing but the package", () => {
  const boot = unit("portcullis-boot.service");
  expect(boot.get("Before")).toContain("network-pre.target");
  expect(boot.get("ExecStart")).toEqual(script.split(" "));
  expect(boot.get("After")?.filter((name) => !/\.mount$|^local-fs\.target$/.test(name))).toEqual(
    [],
  );
  const needs = [
    "Requires",
    "BindsTo",
    "RequiresMountsFor",
    "ConditionPathExists",
    "ProtectSystem",
    "PrivateDevices",
  ];
  expect(needs.filter((key) => boot.has(key))).toEqual([]);
});

test("each step of Debian's nftables.service that may flush ends in loading our ruleset again", () => {
  const added = unit("nftables.service.d/portcullis.conf");
  const again = `-${script} missing`.split(" ");
  expect([...added]).toEqual(
    ["ExecStartPost", "ExecReload", "ExecStopPost"].map((key) => [key, again]),
  );
});

test("the agent's unit lets the watchdog live, and may write beside the guard and not the guard", () => {
  const agent = unit("portcullis-agent.service");
  expect(agent.get("KillMode")).toEqual(["process"]);
  expect(agent.get("OOMPolicy")).toEqual(["continue"]);
  // systemd-notify is a child, and only with Restart is being ended a new start.
  expect(agent.get("NotifyAccess")).toEqual(["all"]);
  expect(agent.get("Restart")).toEqual(["always"]);
  expect(agent.get("ReadWritePaths")).toEqual(["-/etc/portcullis/fallback"]);
});
