/**
 * One lab, opened in order and closed in reverse: namespaces, control plane, root, intent, the wire into the management
 * namespace, and a gateway that is enrolled but whose agent has not started. Everything it makes is in the ledger first.
 */
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { openAuthority } from "./authority.ts";
import { ensureRoot, openControlPlane } from "./control-plane.ts";
import { type Applied, type LabHost, prepareHost, startAgent, waitForSeq } from "./hosts.ts";
import { readKernel } from "./kernel.ts";
import { managementAddress, type Network, openNetwork } from "./network.ts";
import { homeOf, type Options } from "./options.ts";
import { stop, until } from "./process.ts";
import type { ControlPlane } from "./settings.ts";
import type { LabState } from "./state.ts";
import { openWire, type Wire } from "./wire.ts";

export interface Lab {
  readonly control: ControlPlane;
  readonly network: Network;
  readonly wire: Wire;
  readonly gateway: LabHost;
  /** Starts the gateway's agent. It ends with the lab, or before by `stop`. */
  startGateway(): Promise<ChildProcess>;
  close(): Promise<void>;
}

const relayPort = 8443;
const intentFile = new URL("./examples/office.json", import.meta.url);
const Committed = z.object({ revision: z.int(), rows: z.array(z.object({ op: z.string() })) });

/** @param progress hears what is being done now */
export async function openLab(
  options: Pick<Options, "data" | "port" | "runtime">,
  state: LabState,
  progress: (text: string) => void,
): Promise<Lab> {
  const closers: (() => Promise<unknown>)[] = [() => state.sweep()];
  const close = async (): Promise<void> => {
    while (closers.length > 0) await closers.pop()?.();
  };
  try {
    const home = homeOf(options);
    const control = await openControlPlane({ ...options, data: home }, state);
    closers.push(() => control.close());
    progress(`control plane (${options.runtime}) on ${control.url}`);
    progress((await ensureRoot(control, home)) ? "root made: one key, threshold one" : "root: there already");
    progress(await declareIntent(control));

    const network = await openNetwork(state);
    progress(`namespaces ${state.prefix}-*: ${network.labels.join(", ")}`);
    const authority = await openAuthority(join(home, "ca"), [managementAddress]);
    const wire = await openWire(
      {
        namespace: network.management,
        address: managementAddress,
        port: relayPort,
        authority,
        socketPath: state.socketPath,
        to: control.port,
      },
      state,
    );
    closers.push(() => wire.close());
    const url = `https://${managementAddress}:${relayPort}`;
    progress(`management namespace: ${url}, vouched for by the lab's CA`);

    const gateway: LabHost = {
      name: "gw",
      namespace: network.gateway,
      folder: join(home, "hosts", "gw"),
      managementInterface: network.managementInterface,
      url,
      ca: authority.ca,
    };
    const met = await prepareHost(gateway, control.api);
    progress(met === "joined" ? "gw enrolled with a one-time token" : "gw: enrolled already");
    const startGateway = async (): Promise<ChildProcess> => {
      const agent = await startAgent(gateway, state);
      closers.push(() => stop(agent));
      return agent;
    };
    return { control, network, wire, gateway, startGateway, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Commits the example; rows that are as declared stay untouched, so a second start publishes nothing. */
async function declareIntent(control: ControlPlane): Promise<string> {
  const intent: unknown = JSON.parse(readFileSync(intentFile, "utf8"));
  const { revision, rows } = await control.api.send("POST", "/v1/commits", intent, Committed);
  const written = rows.filter(({ op }) => op !== "unchanged").length;
  return written === 0
    ? `intent: there already (revision ${revision})`
    : `intent: ${written} rows of lab/examples/office.json (revision ${revision})`;
}

const Published = z.object({ published: z.object({ seq: z.int() }) });

/** The seq that the control plane serves a host now. */
export const seqOf = async (lab: Lab, host: string): Promise<number> =>
  (await lab.control.api.get(`/v1/hosts/${host}/status`, Published)).published.seq;

/**
 * Waits until the gateway runs what is published for it, in the agent's word and in the kernel: after a second start
 * the agent knows what it committed in its former life before it has loaded it again.
 */
export async function settled(lab: Lab): Promise<Applied> {
  const applied = await waitForSeq(lab.gateway, await seqOf(lab, lab.gateway.name));
  await until("rules in the gateway's kernel", 10_000, () => readKernel(lab.network.gateway));
  return applied;
}
