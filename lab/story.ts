/**
 * The story that `npm start` tells, act by act, each ending in checks: before the rules, as declared, carol moves, a
 * tampered bundle, a replayed update. Packets, simulation and a hand-written expectation are held against each other.
 */
import * as z from "zod";
import { Ruleset } from "#schema/ruleset.ts";
import type { Checks } from "./checks.ts";
import type { Stage } from "./expected.ts";
import { type Applied, waitForRefusal } from "./hosts.ts";
import { type KernelTable, readKernel } from "./kernel.ts";
import { type Lab, seqOf, settled } from "./lab.ts";
import type { Runtime } from "./options.ts";
import type { Printer } from "./print.ts";
import { compareReachability, everyPairReaches, pairsOf } from "./reachability.ts";
import { pollSeconds } from "./settings.ts";

export interface Scene {
  readonly lab: Lab;
  readonly print: Printer;
  readonly checks: Checks;
}

/**
 * The story. On workerd without the attacks: they try the agent and its keys, which are the same on both.
 * @throws Error when something did not happen in time
 */
export async function tell(scene: Scene, runtime: Runtime): Promise<void> {
  const { lab, print } = scene;
  print.heading("Before any rule");
  const pairs = pairsOf(lab.network.clients, lab.network.elsewhere);
  scene.checks.claim("without rules every pair reaches, v4 and v6", await everyPairReaches(pairs));

  print.heading("As declared: alice and bob in dev, carol in ops");
  await lab.startGateway();
  const first = await settled(lab);
  await showHosts(scene, first);
  await compare(scene, "carol operates", first);

  const moved = await carolMoves(scene, first);
  if (runtime === "standalone") await attacks(scene, moved);
  else await moveCarol(lab, "ops");
}

/** One row changes; the kernel follows within a poll, with the same rules and other elements. */
async function carolMoves(scene: Scene, before: Applied): Promise<Applied> {
  const { lab, print, checks } = scene;
  print.heading("carol moves to dev:  PUT /v1/overlays/office/members/carol");
  const kernelBefore = await kernelOf(scene);
  const otherBefore = await seqOf(lab, "other");
  await moveCarol(lab, "dev");
  const started = performance.now();
  const after = await settled(lab);
  const seconds = (performance.now() - started) / 1000;
  const kernelAfter = await kernelOf(scene);
  const otherAfter = await seqOf(lab, "other");
  print.progress(
    `gw runs revision ${after.revision} after ${seconds.toFixed(1)} s (polls every ${pollSeconds} s)`,
  );
  await compare(scene, "carol develops", after);
  checks.claim(
    `nft rules ${kernelBefore.rules} -> ${kernelAfter.rules}, elements ${kernelBefore.elements} -> ${kernelAfter.elements}`,
    kernelBefore.rules === kernelAfter.rules,
  );
  checks.claim(`gw: seq ${before.seq} -> ${after.seq}`, after.seq === before.seq + 1);
  checks.claim(`other: seq ${otherBefore} -> ${otherAfter}, not touched`, otherBefore === otherAfter);
  return after;
}

/** Carol moves back; an attacker first opens the bundle under way, then serves the update in which she still reached. */
async function attacks(scene: Scene, before: Applied): Promise<void> {
  const { lab, print } = scene;
  print.heading("carol moves back, and an attacker on the wire turns each drop of the bundle into accept");
  await refused(scene, "bundle_hash_mismatch", async () => {
    await lab.wire.mode("tamper");
    await moveCarol(lab, "ops");
  });

  print.heading("the attacker leaves");
  await lab.wire.mode("pass");
  const healed = await settled(lab);
  scene.checks.claim(`gw: seq ${before.seq} -> ${healed.seq}, by itself`, healed.seq === before.seq + 1);
  await compare(scene, "carol operates", healed);

  print.heading("the attacker replays the update in which carol was in dev, signed and unexpired");
  await refused(scene, "version_rollback", () => lab.wire.mode("replay"));
  await lab.wire.mode("pass");
}

/** An attack must end in this refusal, and the kernel must not have moved. */
async function refused(scene: Scene, code: string, attack: () => Promise<void>): Promise<void> {
  const before = await kernelOf(scene);
  const since = new Date();
  await attack();
  const refusal = await waitForRefusal(scene.lab.gateway, since);
  const after = await kernelOf(scene);
  scene.checks.claim(`gw refuses: ${refusal}`, refusal === code);
  scene.checks.claim(
    `kernel digest ${short(before.digest)} -> ${short(after.digest)}, unchanged`,
    before.digest === after.digest,
  );
}

async function compare(scene: Scene, stage: Stage, view: Applied): Promise<void> {
  const { lab, print, checks } = scene;
  const { network } = lab;
  const path = `/v1/revisions/${view.revision}/hosts/gw/ruleset?format=json`;
  const ruleset = await lab.control.api.get(path, Ruleset);
  const pairs = pairsOf(network.clients, network.elsewhere);
  const interfaceOf = (place: { readonly name: string }): string =>
    place.name === network.elsewhere.name ? network.elsewhereInterface : network.tunnelInterface;
  await compareReachability(pairs, stage, ruleset, interfaceOf, print, checks);
}

/** What each host runs. */
async function showHosts(scene: Scene, gateway: Applied): Promise<void> {
  const { lab, print } = scene;
  const { rules, elements } = await kernelOf(scene);
  const runs = `seq ${gateway.seq}, revision ${gateway.revision}, bundle ${short(gateway.bundle_sha256)}`;
  print.line({ text: "  gw", width: 9, tone: "bold" }, `${runs}, ${rules} nft rules, ${elements} elements`);
  const published = `seq ${await seqOf(lab, "other")} published, no agent in this lab`;
  print.line({ text: "  other", width: 9, tone: "bold" }, published);
}

async function moveCarol({ control, network }: Lab, group: "dev" | "ops"): Promise<void> {
  const carol = network.clients.find(({ name }) => name === "carol");
  const body = { group, addresses: Object.values(carol?.address ?? {}) };
  await control.api.send("PUT", "/v1/overlays/office/members/carol", body, z.unknown());
}

async function kernelOf({ lab }: Scene): Promise<KernelTable> {
  const kernel = await readKernel(lab.network.gateway);
  if (kernel === undefined) throw new Error("the gateway's kernel holds no table of ours");
  return kernel;
}

const short = (digest: string): string => digest.slice(0, 12);
