/**
 * `adopt`: what the first bundle would cut on this host, told while nothing is cut yet, and `adopt --yes`, which lets
 * the agent enforce it by its ordinary apply. Loads nothing itself.
 */
import { existsSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { listRefusalCounters } from "#core/render/index.ts";
import { admitFirst, mayEnforce, processNames, writeBeginning } from "#agent/cycle/adoption.ts";
import { findFlows } from "#agent/flows/conntrack.ts";
import {
  describeRedirect,
  type ForeignRedirect,
  isRedirect,
} from "#agent/backend/nft/redirects.ts";
import { spawnExec, spawnStream } from "#agent/process/spawn.ts";
import { exitCodes, type Options } from "./args.ts";
import { type LoadedGuard, loadGuard } from "../guard/index.ts";
import { type Kernel, openKernel } from "#agent/backend/kernel.ts";
import { lockHolder } from "#agent/disk/lock.ts";
import { readListeners, processNames as socketOwners } from "../observe/listeners.ts";
import {
  type Decided,
  describeFlows,
  type FlowOutlook,
  describeListeners,
  type ListenerOutlook,
  wouldBeCut,
} from "../observe/outlook.ts";
import { listUnitWarnings } from "../observe/units.ts";
import { programOf, rulesOf } from "#agent/cycle/programs.ts";
import { settleOutcome, type Refusal } from "#agent/machine/refusal.ts";
import { everCommitted } from "#agent/disk/slots.ts";
import type { TrustedBundle } from "../trust/index.ts";
import { controlPlaneOf, readTrustedBundle, nftOf, type Terminal } from "./open.ts";

/** What `adopt --json` prints; fields are only ever added. */
export interface Adoption {
  readonly bundle: { readonly seq: number; readonly revision: number };
  /** `counting`: nothing is cut. `asked`: enforcement was asked for and has not begun. */
  readonly state: "counting" | "asked" | "enforcing";
  readonly would_cut: { readonly listeners: number; readonly flows: number };
  readonly listeners: readonly ListenerOutlook[];
  readonly flows: readonly FlowOutlook[];
  /** Why flows could not be listed; null when they were. */
  readonly flows_unknown: string | null;
  /** Ports that tables of others hand on, so that our rows do not decide who reaches them. */
  readonly redirects: readonly ForeignRedirect[];
  /** Packets that the rules refuse, counted since the table was loaded; those of zero are left out. */
  readonly counted: readonly {
    readonly row: string | null;
    readonly packets: number;
    readonly bytes: number;
  }[];
  /** Why the first enforcement would be refused. */
  readonly refusal: Refusal | null;
  readonly warnings: readonly string[];
}

/** @throws Refused */
export async function adopt(options: Options, terminal: Terminal): Promise<number> {
  const bundle = readTrustedBundle(options);
  const guard = loadGuard(options.guard, controlPlaneOf(options));
  if (options.yes) return begin(options, guard, terminal);
  const adoption = await foresee(options, bundle, guard);
  terminal.out(options.json ? `${JSON.stringify(adoption, null, 2)}\n` : format(adoption));
  return exitCodes.ok;
}

/** @throws Refused `preset_missing`, `state_unwritable` */
function begin({ stateDir }: Options, guard: LoadedGuard, { out }: Terminal): number {
  if (everCommitted(stateDir)) {
    out("this host enforces already\n");
    return exitCodes.ok;
  }
  admitFirst(guard, processNames());
  writeBeginning(stateDir, "enforce");
  out(
    lockHolder(stateDir) === undefined
      ? "this host enforces what is signed from the agent's next start on: start it, or run once\n"
      : "this host enforces what is signed from the agent's next cycle on; status tells how it went\n",
  );
  return exitCodes.ok;
}

async function foresee(
  options: Options,
  bundle: TrustedBundle,
  guard: LoadedGuard,
): Promise<Adoption> {
  const rules = rulesOf(bundle, guard);
  const found = readListeners().filter(({ ephemeral }) => !ephemeral);
  const owners = await socketOwners(new Set(found.map(({ inode }) => inode)));
  const own = ownAddresses();
  const kernel = openKernel(nftOf(options));
  await kernel.readTable();
  const redirects = kernel.others().redirects ?? [];
  const outlook = describeListeners(found, rules, own, owners, redirects);
  const flows = await findFlows(
    { exec: spawnExec(), stream: spawnStream() },
    rules,
    undefined,
    Math.floor(Date.now() / 1000),
  );
  const processOf = (protocol: "tcp" | "udp", port: number): string | null =>
    outlook.find((one) => one.protocol === protocol && one.port === port)?.process ?? null;
  const cutFlows = flows.ok ? describeFlows(flows.flows, processOf) : [];
  const admitted = await settleOutcome(async () => admitFirst(guard, processNames()));
  const { seq, revision } = bundle.custom;
  return {
    bundle: { seq, revision },
    state: everCommitted(options.stateDir)
      ? "enforcing"
      : mayEnforce(options.stateDir)
        ? "asked"
        : "counting",
    would_cut: {
      listeners: outlook.filter(wouldBeCut).length,
      flows: cutFlows.reduce((sum, each) => sum + each.flows, 0),
    },
    listeners: outlook,
    flows: cutFlows,
    flows_unknown: flows.ok ? null : flows.why,
    redirects: [...redirects],
    counted: await readCounted(kernel, bundle, guard),
    refusal: admitted.ok ? null : admitted.refusal,
    warnings: [...warningsOf(guard), ...listUnitWarnings()],
  };
}

/** By interface; `networkInterfaces` leaves out what is down. */
const ownAddresses = (): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
      addresses.map(({ address }) => [address, name] as const),
    ),
  );

async function readCounted(
  kernel: Kernel,
  bundle: TrustedBundle,
  guard: LoadedGuard,
): Promise<Adoption["counted"]> {
  const refusing = new Set(listRefusalCounters(programOf(bundle, guard)));
  const rows = new Map(bundle.ruleset.rules.map(({ counter, row }) => [counter, row]));
  const readings = await kernel.counters();
  return readings
    .filter(({ name, packets }) => packets > 0 && refusing.has(name))
    .map(({ name, packets, bytes }) => ({ row: rows.get(name) ?? null, packets, bytes }));
}

/** NetBird's interface, as its agent names it unless told otherwise. */
const netbird = "wt0";

const warningsOf = ({ guard, presets }: LoadedGuard): readonly string[] =>
  existsSync(`/sys/class/net/${netbird}`) &&
  !presets.includes("netbird") &&
  !guard.management.interfaces.includes(netbird)
    ? [
        `${netbird} is a NetBird interface, and the guard names no preset netbird: it is judged as any other`,
      ]
    : [];

function format({
  bundle,
  state,
  would_cut: cut,
  flows_unknown: unknown,
  ...found
}: Adoption): string {
  const closed = found.listeners.filter(wouldBeCut);
  const redirected = found.listeners.filter((one) => one.redirected_by.length > 0);
  const narrowed = found.listeners.filter(
    (one) => !redirected.includes(one) && !wouldBeCut(one) && one.otherwise.verdict !== "accept",
  );
  const { listeners: nListeners, flows: nFlows } = cut;
  return [
    `seq ${bundle.seq}, revision ${bundle.revision}: ${stateTexts[state]}`,
    ...section(
      "listeners that nobody reaches any more, but by a management interface",
      closed.map(closedLine),
    ),
    ...section("listeners that some reach", narrowed.map(narrowedLine)),
    ...section(
      "listeners that strangers may reach by others' address translation, whatever our rows say",
      redirected.map((one) => `${socket(one)}: ${one.redirected_by.join(", ")}`),
    ),
    ...section(
      "other ports that are handed on before our rules for this host see them",
      found.redirects
        .filter((redirect) => !found.listeners.some((one) => isRedirect(redirect, one)))
        .map(describeRedirect),
    ),
    ...section("flows that end", found.flows.map(formatFlow)),
    ...(unknown === null ? [] : [`flows cannot be listed: ${unknown}`]),
    ...section(
      "packets counted that are refused",
      found.counted.map(
        ({ row, packets, bytes }) => `${row ?? "no row"}: ${packets} packets, ${bytes} bytes`,
      ),
    ),
    ...found.warnings.map((text) => `warning: ${text}`),
    ...(found.refusal === null ? [] : [`${found.refusal.code}: ${found.refusal.message}`]),
    `${nListeners} listeners and ${nFlows} flows ${state === "enforcing" ? "are" : "would be"} cut`,
    ...(state === "counting" ? ["'portcullis-agent adopt --yes' starts enforcement"] : []),
    "",
  ].join("\n");
}

const stateTexts: Readonly<Record<Adoption["state"], string>> = {
  counting: "counted, and nothing is cut yet",
  asked: "enforcement was asked for and has not begun",
  enforcing: "this host enforces",
};

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`)];

const by = ({ verdict, row }: Decided): string => `${verdict} by ${row ?? "no row"}`;
const socket = ({ protocol, port, address, process }: ListenerOutlook): string =>
  `${protocol} ${port} on ${address}${process === null ? "" : `, ${process}`}`;
const closedLine = (one: ListenerOutlook): string => `${socket(one)}: ${by(one.otherwise)}`;
const narrowedLine = (one: ListenerOutlook): string =>
  `${socket(one)}: accept by ${one.admitted_by.join(", ")}; else ${by(one.otherwise)}`;

/** More peers than this are counted. */
const peersShownMax = 5;

function formatFlow({
  protocol,
  direction,
  port,
  process,
  peers,
  flows,
  ...decided
}: FlowOutlook): string {
  const shown = peers.slice(0, peersShownMax).join(", ");
  const more = peers.length > peersShownMax ? ` and ${peers.length - peersShownMax} more` : "";
  const who = process === null ? "" : `, ${process}`;
  return `${protocol} ${direction} ${port}${who}, ${flows} with ${shown}${more}: ${by(decided)}`;
}
