/**
 * The story that `npm start` tells, act by act, each ending in checks: before the rules, the catalog, carol moves, one
 * service is edited, a tampered bundle, a replayed update. Packets, simulation and a hand-written expectation are held
 * against each other at every stage.
 */
import { prepare } from "#core/simulate/index.ts";
import type { Checks } from "./checks.ts";
import type { Stage } from "./expected.ts";
import { gatewayName, managementInterface } from "#lab/net/machines.ts";
import { waitForRefusal } from "#lab/fleet/hosts.ts";
import type { Simulator } from "./probe-verdict.ts";
import { type KernelTable, readKernel } from "#lab/net/kernel.ts";
import { applyExamples, examples, type Lab, waitForLab } from "./lab.ts";
import type { Runtime } from "#lab/run/options.ts";
import type { Printer } from "#lab/run/print.ts";
import { compareReachability, countReached } from "./reachability.ts";
import type { OpenLine } from "./reachability-table.ts";
import { pollSeconds } from "#lab/fleet/settings.ts";
import type { Held } from "#schema/api/hosts.ts";
import type { Api } from "#lab/fleet/api.ts";
import { readPublishedFleet } from "#lab/fleet/wait.ts";

export interface Scene {
  readonly lab: Lab;
  readonly print: Printer;
  readonly checks: Checks;
}

type Fleet = ReadonlyMap<string, Held>;

/**
 * The story. On workerd without the attacks: they try the agent and its keys, which are the same on both.
 * @throws Error when something did not happen in time
 */
export async function runStory(scene: Scene, runtime: Runtime): Promise<void> {
  const { lab, print, checks } = scene;
  print.heading("Before any rule");
  const { reached, of } = await countReached(lab.probers, lab.network);
  checks.claim(
    `without rules everything reaches: ${reached} of ${of} probes, v4 and v6`,
    reached === of,
  );

  print.heading("As declared: five hosts that deny by default, and the catalog's ports");
  await lab.startAgents();
  const first = await waitForLab(lab);
  await showHosts(scene, first);
  const declared = await compare(scene, "as declared", first);

  const moved = await moveCarol(scene, first, declared);
  await editService(scene, moved.fleet, moved.open);
  if (runtime === "standalone") await runAttacks(scene, declared);
  else await applyExamples(lab.control);
}

interface Chapter {
  readonly fleet: Fleet;
  readonly open: readonly OpenLine[];
}

/** One row changes; the gateway follows within a poll, with the same rules and other elements. */
async function moveCarol(scene: Scene, before: Fleet, open: readonly OpenLine[]): Promise<Chapter> {
  const { lab, print, checks } = scene;
  print.heading("carol moves to dev:  PUT /v1/overlays/office/members/carol");
  const kernelBefore = await kernelOf(scene, gatewayName);
  const { v4, v6 } = lab.network.station("carol").address;
  const body = { group: "dev", addresses: [v4, v6] };
  const params = { overlay: "office", cn: "carol" };
  const after = await changeRow(scene, (api) =>
    api.call("PUT /v1/overlays/:overlay/members/:cn", { params, body }),
  );
  const kernelAfter = await kernelOf(scene, gatewayName);
  const openNow = await compare(scene, "carol develops", after, open);
  checks.claim(
    `gw: nft rules ${kernelBefore.rules} -> ${kernelAfter.rules}, elements ${kernelBefore.elements} -> ${kernelAfter.elements}`,
    kernelBefore.rules === kernelAfter.rules,
  );
  claimTouched(scene, before, after, [gatewayName]);
  return { fleet: after, open: openNow };
}

/** Editing one service touches the hosts it concerns, and no other. */
async function editService(scene: Scene, before: Fleet, open: readonly OpenLine[]): Promise<void> {
  scene.print.heading("photoprism lets laptop1 in too:  PUT /v1/services/photoprism");
  const grant = { port: 2342, proto: "tcp" } as const;
  const body = {
    ingress: [
      { from: "reverse_proxy", ...grant },
      { from: "laptop1", ...grant },
    ],
  };
  const params = { service: "photoprism" };
  const after = await changeRow(scene, (api) =>
    api.call("PUT /v1/services/:service", { params, body }),
  );
  await compare(scene, "carol develops, the laptop opens albums", after, open);
  claimTouched(scene, before, after, ["photos1"]);
}

/** Changes one row and waits until the fleet runs it. */
async function changeRow(scene: Scene, write: (api: Api) => Promise<unknown>): Promise<Fleet> {
  const { lab, print } = scene;
  await write(lab.control.api);
  const started = performance.now();
  const fleet = await waitForLab(lab);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  print.progress(`the fleet runs it after ${seconds} s (hosts poll every ${pollSeconds} s)`);
  return fleet;
}

function claimTouched(
  { checks }: Scene,
  before: Fleet,
  after: Fleet,
  expected: readonly string[],
): void {
  const steps = [...after].map(([name, { seq }]) => ({
    name,
    from: before.get(name)?.seq ?? 0,
    to: seq,
  }));
  const text = steps.map(
    ({ name, from, to }) => `${name} ${from === to ? to : `${from} -> ${to}`}`,
  );
  const right = steps.every(
    ({ name, from, to }) => to === from + (expected.includes(name) ? 1 : 0),
  );
  checks.claim(`seq: ${text.join(", ")}; touched only ${expected.join(", ")}`, right);
}

/**
 * The catalog takes both rows back; an attacker first opens the bundles under way, then serves the updates in which
 * carol and the laptop still reached.
 */
async function runAttacks(scene: Scene, declared: readonly OpenLine[]): Promise<void> {
  const { lab, print } = scene;
  print.heading(
    `the catalog again:  portcullis apply -f ${examples} --adopt, and an attacker turns each drop of the bundles into accept`,
  );
  const before = await readPublishedFleet(lab.control.api);
  await checkRefusal(scene, "bundle_hash_mismatch", async () => {
    await lab.wire.mode("tamper");
    await applyExamples(lab.control);
  });

  print.heading("the attacker leaves");
  await lab.wire.mode("pass");
  const healed = await waitForLab(lab);
  claimTouched(scene, before, healed, [gatewayName, "photos1"]);
  const open = await compare(scene, "as declared", healed, declared);
  scene.checks.claim(
    "what is open is what was open at first",
    JSON.stringify(open) === JSON.stringify(declared),
  );

  print.heading("the attacker replays the updates of before, signed and unexpired");
  await checkRefusal(scene, "version_rollback", () => lab.wire.mode("replay"));
  await lab.wire.mode("pass");
}

/** An attack must end in this refusal on both hosts that it concerns, and no kernel may have moved. */
async function checkRefusal(
  scene: Scene,
  code: string,
  attack: () => Promise<unknown>,
): Promise<void> {
  const { lab, checks } = scene;
  const before = await readDigests(scene);
  const since = new Date();
  await attack();
  for (const name of [gatewayName, "photos1"]) {
    const host = lab.hosts.find((found) => found.name === name) ?? lab.gateway;
    const refusal = await waitForRefusal(host, since, lab.patienceMs);
    checks.claim(`${name} refuses: ${refusal}`, refusal === code);
  }
  const after = await readDigests(scene);
  checks.claim(`kernel digests unchanged: ${after}`, before === after);
}

/** Every kernel's digest, by host. */
async function readDigests(scene: Scene): Promise<string> {
  const { hosts } = scene.lab;
  const found = await Promise.all(hosts.map(({ name }) => kernelOf(scene, name)));
  return hosts.map(({ name }, i) => `${name} ${found[i]?.digest.slice(0, 12) ?? ""}`).join(", ");
}

async function compare(
  scene: Scene,
  stage: Stage,
  fleet: Fleet,
  before?: readonly OpenLine[],
): Promise<readonly OpenLine[]> {
  const { lab, print, checks } = scene;
  const guard = { management: { interfaces: [managementInterface], allow: [] } };
  const simulators = new Map<string, Simulator>();
  for (const [host, { revision }] of fleet) {
    const params = { revision, host };
    const ruleset = await lab.control.api.call("GET /v1/revisions/:revision/hosts/:host/ruleset", {
      params,
    });
    simulators.set(host, prepare(ruleset, guard));
  }
  const { network, probers } = lab;
  const gateway = network.station(gatewayName);
  return compareReachability(
    { probers, network, gateway, simulators, print, checks },
    stage,
    before,
  );
}

/** What each host runs. */
async function showHosts(scene: Scene, fleet: Fleet): Promise<void> {
  for (const [name, { seq, revision }] of fleet) {
    const { rules, elements, digest } = await kernelOf(scene, name);
    const runs = `seq ${seq}, revision ${revision}: ${rules} nft rules, ${elements} elements, kernel ${digest.slice(0, 12)}`;
    scene.print.line({ text: `  ${name}`, width: 11, tone: "bold" }, runs);
  }
}

async function kernelOf({ lab }: Scene, host: string): Promise<KernelTable> {
  const kernel = await readKernel(lab.network.station(host).namespace);
  if (kernel === undefined) throw new Error(`the kernel of ${host} holds no table of ours`);
  return kernel;
}
