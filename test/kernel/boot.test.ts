/** What boot and the watchdog load with sh, nft and coreutils alone, into a kernel that holds nothing of ours. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { programSha256 } from "#agent/apply/nft.ts";
import { keepFallback } from "#agent/fallback.ts";
import { commitSlot, stageSlot } from "#agent/slots.ts";
import { inNamespace, makeNamespaces, namespaceName, newPrefix, removeNamespaces } from "#lab/netns.ts";
import { must } from "#lab/process.ts";
import { groupsRuleset, mustRender, testGuard } from "#test/support/rulesets.ts";

const namespace = namespaceName(newPrefix(), "boot");
let directory: string;
/** Holds what a machine without Node has. */
let programs: string;
beforeAll(async () => {
  await makeNamespaces([namespace]);
  programs = mkdtempSync(join(tmpdir(), "portcullis-path-"));
  for (const program of ["nft", "sha256sum", "sleep"]) {
    const found = (await must(["/bin/sh", "-c", `command -v ${program}`])).trim();
    symlinkSync(found, join(programs, program));
  }
});
afterAll(async () => {
  rmSync(programs, { recursive: true });
  await removeNamespaces([namespace]);
});
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "portcullis-boot-"));
  await must(inNamespace(namespace, "nft", "flush", "ruleset"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const commit = (seq: number): void => {
  const program = mustRender(groupsRuleset({ dev: [`10.8.0.${seq}`], ops: [] }));
  const digest = "0".repeat(64);
  const applied = {
    seq,
    revision: seq,
    bundle_sha256: digest,
    mode: "enforce" as const,
    program_sha256: programSha256(program),
    guard_sha256: digest,
    renderer: "nft-1",
  };
  expect(commitSlot(directory, stageSlot(directory, applied, program, 0))).toBe(true);
};

/** Boots, and says in one word what the kernel holds then. */
async function boot(): Promise<string> {
  const argv = ["env", "-i", `PATH=${programs}`, "/bin/sh", join(directory, "restore.sh"), directory, "nft"];
  await must(inNamespace(namespace, ...argv));
  const ruleset = await must(inNamespace(namespace, "nft", "-s", "list", "ruleset"));
  if (ruleset === "") return "nothing";
  const seq = /10\.8\.0\.(\d)/.exec(ruleset)?.[1];
  if (seq !== undefined) return `seq ${seq}`;
  expect(ruleset).toContain("drop");
  return ruleset.includes("mgmt0") ? "closed" : "last resort";
}

const inSlots = (leaf: string): readonly string[] =>
  ["a", "b"].map((name) => join(directory, "slots", name, leaf));

test("loads the newest committed slot", async () => {
  keepFallback(directory, testGuard);
  for (const seq of [1, 2, 3]) {
    commit(seq);
    expect(await boot()).toBe(`seq ${seq}`);
  }
});

test("leaves a host alone that never committed, with a candidate on its disk or without", async () => {
  keepFallback(directory, testGuard);
  expect(await boot()).toBe("nothing");
  commit(1);
  rmSync(join(directory, "enforced"));
  rmSync(join(directory, "slots", "a", "seal"));
  writeFileSync(join(directory, "slots", "a", "seal.pending"), "0 1\n");
  expect(await boot()).toBe("nothing");
});

test.each(["ruleset.nft", "seal"])("loads the other slot when the newest one's %s is torn", async (leaf) => {
  keepFallback(directory, testGuard);
  commit(1);
  commit(2);
  truncateSync(join(directory, "slots", "b", leaf), 40);
  expect(await boot()).toBe("seq 1");
});

test.each([
  ["are torn", () => inSlots("ruleset.nft").forEach((path) => truncateSync(path, 100))],
  ["are empty", () => inSlots("ruleset.nft").forEach((path) => truncateSync(path, 0))],
  ["have lost their seals", () => inSlots("seal").forEach((path) => writeFileSync(path, ""))],
  ["are gone", () => rmSync(join(directory, "slots"), { recursive: true })],
])("closes, with management, when both slots %s", async (_, damage) => {
  keepFallback(directory, testGuard);
  commit(1);
  commit(2);
  damage();
  expect(await boot()).toBe("closed");
});

test.each(["closed", "fallen"])("closes a host that was %s when it went down", async (mark) => {
  keepFallback(directory, testGuard);
  commit(1);
  writeFileSync(join(directory, mark), "");
  expect(await boot()).toBe("closed");
});

test("lets nothing new in when the closed ruleset is torn as well", async () => {
  keepFallback(directory, testGuard);
  commit(1);
  for (const path of [...inSlots("seal").slice(0, 1), join(directory, "closed.nft")]) truncateSync(path, 0);
  expect(await boot()).toBe("last resort");
});

test("the unit runs this very script before the network, and the agent's unit lets the watchdog live", () => {
  const unit = (name: string): string =>
    readFileSync(join(import.meta.dirname, "..", "..", "agent", "units", name), "utf8");
  expect(unit("portcullis-boot.service")).toMatch(/^Before=network-pre\.target/m);
  expect(unit("portcullis-boot.service")).toMatch(
    /^ExecStart=\/bin\/sh \/var\/lib\/portcullis\/restore\.sh \/var\/lib\/portcullis \/usr\/sbin\/nft$/m,
  );
  expect(unit("portcullis-agent.service")).toMatch(/^KillMode=process$/m);
  expect(unit("portcullis-agent.service")).toMatch(/^OOMPolicy=continue$/m);
});
