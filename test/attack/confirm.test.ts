/** A ruleset that cuts the host off, or proves itself too late, takes itself back: with the agent alive and without it. */
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { CutFlows } from "#agent/flows/conntrack.ts";
import type { Rules } from "#agent/flows/flows.ts";
import { openWatchdog } from "#agent/backend/nft/watchdog.ts";
import { fallbackOf } from "#agent/cycle/fallback.ts";
import { programSha256 } from "#agent/disk/digest.ts";
import { loadGuard } from "#agent/guard/index.ts";
import { readEvents } from "#agent/observe/event-log.ts";
import { revokeSlot, makeSlotSeal, stageSlot } from "#agent/disk/slots.ts";
import { readStatus } from "#agent/report/status.ts";
import { inNamespace } from "#lab/net/netns.ts";
import { waitUntil } from "#lab/run/process.ts";
import { renderClosed } from "#core/render/index.ts";
import { writeFileSync } from "node:fs";
import type { Published } from "#worker/signing/types.ts";
import { filesOf, publish } from "./plane.ts";
import {
  admitting,
  guardText,
  type Namespace,
  openNamespace,
  openVictim,
  type Victim,
} from "./victim.ts";

let namespace: Namespace;
let victim: Victim;
let before: string;
beforeAll(async () => void (namespace = await openNamespace()));
afterAll(() => namespace.close());
beforeEach(async () => {
  victim = await openVictim(namespace);
  before = await namespace.ruleset();
});
afterEach(() => victim.close());

const third = async (address = "203.0.113.9") =>
  publish(victim.authority, admitting(address), victim.second);

test("goes back when the new ruleset does not reach the control plane, and never tries that seq again", async () => {
  victim.plane.serve(filesOf(await third()));
  victim.plane.confirm(false);
  expect(await victim.cycle()).toMatchObject({
    refusal: { code: "probe_failed" },
    state: { kind: "reverted" },
  });
  expect(await namespace.ruleset()).toBe(before);
  const confirms = () =>
    victim.plane.asked.filter(({ path }) => path === "/v1/agent/confirm").length;
  const tried = confirms();
  victim.plane.confirm(true);
  await victim.cycle();
  victim.restart();
  expect((await victim.cycle()).state).toMatchObject({ kind: "reverted", applied: { seq: 2 } });
  expect(confirms()).toBe(tried);
  const fourth = await publish(victim.authority, admitting("203.0.113.10"), await third());
  victim.plane.serve(filesOf(fourth));
  expect(await victim.cycle()).toMatchObject({
    refusal: undefined,
    state: { kind: "steady", applied: { seq: 4 } },
  });
});

test("the event log tells of the commit, of what was refused once, and of the revert", async () => {
  victim.plane.serve(filesOf(await third()));
  victim.plane.confirm(false);
  await victim.cycle();
  await victim.cycle();
  expect(readEvents(victim.directory, 6)).toMatchObject([
    { kind: "commit", seq: 2 },
    { kind: "state", to: "steady" },
    { kind: "state", to: "applying" },
    { kind: "refusal", code: "probe_failed" },
    { kind: "revert", seq: 3, by: "agent" },
    { kind: "state", to: "reverted" },
  ]);
});

/** Takes the host to hold: three newer revisions that do not reach the control plane. */
async function toHold(): Promise<Published> {
  victim.plane.confirm(false);
  let last = victim.second;
  for (const address of ["203.0.113.1", "203.0.113.2", "203.0.113.3"]) {
    last = await publish(victim.authority, admitting(address), last);
    victim.plane.serve(filesOf(last));
    await victim.cycle();
  }
  return last;
}

test("holds after three reverts within an hour, and a restart does not forget", async () => {
  const last = await toHold();
  victim.plane.confirm(true);
  // Under a new number, and no newer than what was reverted: as after a rollback.
  const again = await publish(victim.authority, admitting("203.0.113.4"), last, { revision: 4 });
  victim.plane.serve(filesOf(again));
  victim.restart();
  expect((await victim.cycle()).state).toMatchObject({ kind: "hold", applied: { seq: 2 } });
  expect(await namespace.ruleset()).toBe(before);
});

test("a newer revision is a new try for a host in hold, and its commit ends that", async () => {
  const last = await toHold();
  victim.plane.confirm(true);
  victim.plane.serve(filesOf(await publish(victim.authority, admitting("203.0.113.4"), last)));
  expect((await victim.cycle()).state).toMatchObject({ kind: "steady", applied: { seq: 6 } });
  victim.restart();
  expect((await victim.cycle()).state).toMatchObject({ kind: "steady" });
});

test("a mended guard is a new try for a host in hold, whatever it is served", async () => {
  const last = await toHold();
  victim.plane.confirm(true);
  victim.plane.serve(
    filesOf(await publish(victim.authority, admitting("203.0.113.4"), last, { revision: 4 })),
  );
  expect((await victim.cycle()).state.kind).toBe("hold");
  writeFileSync(victim.guardPath, `${guardText}grace_hours: 71\n`, { mode: 0o600 });
  expect((await victim.cycle()).state).toMatchObject({ kind: "steady", applied: { seq: 6 } });
});

test("a probe of the guard's that is not answered takes the ruleset back, one that is answered commits", async () => {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const probes = `confirm: { probes: [{ kind: tcp, host: 127.0.0.1, port: ${port} }] }\n`;
  writeFileSync(victim.guardPath, guardText + probes, { mode: 0o600 });
  expect(await victim.cycle()).toMatchObject({ refusal: undefined, state: { kind: "steady" } });
  await new Promise((resolve) => server.close(resolve));
  victim.plane.serve(filesOf(await third()));
  expect(await victim.cycle()).toMatchObject({
    refusal: { code: "probe_failed" },
    state: { kind: "reverted" },
  });
});

test("the watchdog goes back by itself when nobody commits, with sh and nft alone", async () => {
  const { directory } = victim;
  const { guard, sha256 } = loadGuard(victim.guardPath, undefined);
  const program = renderClosed(guard);
  const meta = JSON.parse(readFileSync(join(directory, "slots", "b", "meta.json"), "utf8")) as {
    applied: Parameters<typeof stageSlot>[1];
  };
  const applied = {
    ...meta.applied,
    seq: 3,
    program_sha256: programSha256(program),
    guard_sha256: sha256,
  };
  const slot = stageSlot(directory, applied, program, Date.now());
  const up = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
  await openWatchdog(
    directory,
    fallbackOf(victim.guardPath),
    "nft",
    inNamespace(namespace.name),
  ).arm(slot, up + 1, 30);
  await namespace.exec(["nft", "-f", join(directory, "closed.nft")], "");
  expect(await namespace.ruleset()).not.toContain("198.51.100.1");
  await waitUntil("the watchdog reverted", async () =>
    Promise.resolve(makeSlotSeal(directory, slot) === "reverted" ? true : undefined),
  );
  expect(await namespace.ruleset()).toBe(before);
  expect(revokeSlot(directory, slot)).toBe(false);
});

test("says that flows could not be cut, commits all the same, and cuts by the same rules with the next commit", async () => {
  const asked: (readonly [now: Rules, before: Rules | undefined])[] = [];
  const answers: CutFlows[] = [
    { ok: false, why: "conntrack: ENOENT" },
    { ok: true, cut: 2 },
    { ok: true, cut: 0 },
  ];
  victim.restart({
    cutFlows: async (now, cutBy) => {
      asked.push([now, cutBy]);
      return Promise.resolve(answers[asked.length - 1] ?? { ok: true, cut: 0 });
    },
  });
  let last = victim.second;
  const status = (): unknown => readStatus(victim.directory)?.flows_uncut;
  for (const [address, uncut] of [
    ["203.0.113.9", "conntrack: ENOENT"],
    ["203.0.113.10", null],
    ["203.0.113.11", null],
  ] as const) {
    last = await publish(victim.authority, admitting(address), last);
    victim.plane.serve(filesOf(last));
    expect(await victim.cycle()).toMatchObject({ refusal: undefined, state: { kind: "steady" } });
    expect(status()).toBe(uncut);
  }
  const [first, second, another] = asked;
  expect(second?.[1]).toEqual(first?.[1]);
  expect(another?.[1]).toEqual(second?.[0]);
  const uncut = readEvents(victim.directory, 100).filter(({ kind }) => kind === "uncut");
  expect(uncut).toMatchObject([{ why: "conntrack: ENOENT" }]);
});
