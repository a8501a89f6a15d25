/**
 * One lab, opened in order and closed in reverse: control plane, root, the catalog, namespaces, the wire into the
 * management network, and hosts that are enrolled but whose agents have not started. Everything it makes is in the
 * ledger first.
 */
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type Authority, openAuthority } from "#lab/fleet/authority.ts";
import { ensureRoot, openControlPlane, runCli } from "#lab/fleet/control-plane.ts";
import { gatewayName, managementAddress, managementInterface } from "#lab/net/machines.ts";
import { type LabHost, prepareHost, startAgent } from "#lab/fleet/hosts.ts";
import { readKernel } from "#lab/net/kernel.ts";
import { type Network, openNetwork, type Station } from "#lab/net/network.ts";
import { homeOf, type Options } from "#lab/run/options.ts";
import { openProbers, type Probers } from "#lab/net/probe.ts";
import { patienceMs, stop, waitUntil } from "#lab/run/process.ts";
import { asks } from "./questions.ts";
import type { ControlPlane } from "#lab/fleet/settings.ts";
import type { Held } from "#schema/api/hosts.ts";
import { waitForFleet } from "#lab/fleet/wait.ts";
import type { LabState } from "#lab/net/state.ts";
import { openWire, type Wire } from "#lab/fleet/wire.ts";

export interface Lab {
  readonly control: ControlPlane;
  readonly network: Network;
  readonly probers: Probers;
  readonly wire: Wire;
  /** Every machine with an agent, by name; the gateway is one of them. */
  readonly hosts: readonly LabHost[];
  readonly gateway: LabHost;
  readonly patienceMs: number;
  /** Starts every host's agent. They end with the lab, or before by what is returned. */
  startAgents(): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

const relayPort = 8443;
export const examples = relative(
  process.cwd(),
  fileURLToPath(new URL("../examples", import.meta.url)),
);

/** @param progress hears what is being done now */
export async function openLab(
  options: Pick<Options, "data" | "port" | "runtime"> & Partial<Pick<Options, "patienceMs">>,
  state: LabState,
  progress: (text: string) => void,
): Promise<Lab> {
  const closers: (() => Promise<unknown>)[] = [() => state.sweep()];
  const close = async (): Promise<void> => {
    while (closers.length > 0) await closers.pop()?.();
  };
  try {
    const home = homeOf(options);
    const patience = options.patienceMs ?? patienceMs;
    const control = await openControlPlane({ ...options, data: home }, state);
    closers.push(() => control.close());
    progress(`control plane (${options.runtime}) on ${control.url}`);
    progress(
      (await ensureRoot(control, home))
        ? "root made: one key, threshold one"
        : "root: there already",
    );
    progress(`portcullis apply -f ${examples} --adopt --yes`);
    for (const line of await applyExamples(control)) progress(`  ${line}`);

    const network = await openNetwork(state);
    progress(`namespaces ${state.prefix}-*: ${network.labels.join(", ")}`);
    const probers = await openProbers(network.stations, state, { patienceMs: patience });
    closers.push(() => probers.close());
    await probers.listen(asks);
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
    const hosts = network.stations
      .filter(({ managed }) => managed)
      .map((station) => labHost(station, home, authority));
    const gateway = hosts.find(({ name }) => name === gatewayName);
    if (gateway === undefined) throw new RangeError("the fleet has no gateway");
    const met = await Promise.all(hosts.map((host) => prepareHost(host, control.api)));
    const joined = met.filter((how) => how === "joined").length;
    progress(
      `${hosts.length} hosts, ${joined} enrolled now, each with a one-time token of its own`,
    );
    const startAgents = async (): Promise<() => Promise<void>> => {
      const agents = await Promise.all(hosts.map((host) => startAgent(host, state)));
      const end = async (): Promise<void> => {
        await Promise.all(agents.map((agent) => stop(agent)));
      };
      closers.push(end);
      return end;
    };
    return {
      control,
      network,
      probers,
      wire,
      hosts,
      gateway,
      patienceMs: patience,
      startAgents,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const labHost = ({ name, namespace }: Station, home: string, authority: Authority): LabHost => ({
  name,
  namespace,
  folder: join(home, "hosts", name),
  managementInterface,
  url: `https://${managementAddress}:${relayPort}`,
  ca: authority.ca,
});

/**
 * Applies the example by the same command as an operator would. Rows that are as declared stay untouched, so a second
 * start publishes nothing; a row that the API changed is taken back. @returns what the command said last
 */
export async function applyExamples(control: ControlPlane): Promise<readonly string[]> {
  const said = await runCli(control, ["apply", "-f", examples, "--adopt", "--yes"]);
  return said.trim().split("\n").slice(-1);
}

/**
 * Waits until every host runs what is published for it, in the agents' word and in the kernels: after a second start
 * an agent knows what it committed in its former life before it has loaded it again.
 */
export async function waitForLab(lab: Lab): Promise<ReadonlyMap<string, Held>> {
  const standings = await waitForFleet(lab.control.api, lab.patienceMs);
  await Promise.all(
    lab.hosts.map(({ name, namespace }) =>
      waitUntil(`rules in the kernel of ${name}`, () => readKernel(namespace), lab.patienceMs),
    ),
  );
  return standings;
}
