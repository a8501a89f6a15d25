/**
 * What `portcullis-agent status` tells: the loop leaves it in `status.json` where a cycle changed it, and the command reads
 * it. It says what a person should do about the last refusal, in one line per code.
 */
import { join } from "node:path";
import * as z from "zod";
import { guardLineNames, refusalCodes, refusalEntry, remedyOf } from "#schema/refusals.ts";
import { describeExpiry, RoleExpiry } from "#schema/expiry.ts";
import { AgentState, Drift, ForeignDrop, Listening } from "#schema/wire.ts";
import { describeDropping } from "#agent/backend/nft/foreign.ts";
import { LoggedEvent } from "#agent/observe/event-log.ts";
import type { Others } from "#agent/backend/nft/listing.ts";
import { describeRedirect, ForeignRedirect, isRedirect } from "#agent/backend/nft/redirects.ts";
import { readOptional, writeDurable } from "#agent/disk/files.ts";
import type { Refusal } from "#agent/machine/refusal.ts";
import type { DatedRefusal } from "./report.ts";
import { committedOf, countedOf, leaseOf } from "#agent/machine/read.ts";
import type { State } from "#agent/machine/state.ts";
import { findHoldEnd } from "#agent/machine/tries.ts";

export const Status = z.strictObject({
  state: AgentState,
  /** When the host entered that state. */
  since: z.iso.datetime(),
  /** When it began to say this. */
  updated_at: z.iso.datetime(),
  host: z.string(),
  fleet: z.string(),
  url: z.string(),
  applied: z
    .strictObject({ seq: z.int(), revision: z.int(), bundle_sha256: z.string() })
    .nullable(),
  /** The bundle that is counted and not enforced, before a person says so. */
  counting: z.strictObject({ seq: z.int(), revision: z.int() }).nullable().default(null),
  /** In hold: until when by itself, and the newest revision that was reverted; a newer one is tried before. */
  held: z.strictObject({ until: z.iso.datetime(), revision: z.int() }).nullable().default(null),
  lease_ends_at: z.iso.datetime().nullable(),
  last_refusal: z
    .strictObject({
      code: z.enum(refusalCodes),
      message: z.string(),
      at: z.iso.datetime(),
      line: z.enum(guardLineNames).optional(),
      /** Since when what was refused is over. */
      over_at: z.iso.datetime().optional(),
    })
    .nullable(),
  drift: Drift.nullable().default(null),
  foreign_drops: z.array(ForeignDrop).nullable().default(null),
  foreign_redirects: z.array(ForeignRedirect).nullable().default(null),
  /** Why tables of others could not be listed. */
  foreign_unlisted: z.string().nullable().default(null),
  /** Why flows that lost their grant with the last commit may go on. */
  flows_uncut: z.string().nullable().default(null),
  listening: Listening.nullable().default(null),
  /** Until when the metadata is good that the host holds. */
  expires: z.array(RoleExpiry).default([]),
});
export type Status = z.infer<typeof Status>;

/** What `status --json` prints: the last cycle's account, and what only the command itself can tell. */
export const StatusReport = Status.extend({
  lease_left_seconds: z.int().nullable(),
  running: z.boolean(),
  units: z.array(z.string()),
  events: z.array(LoggedEvent),
});
export type StatusReport = z.infer<typeof StatusReport>;

export const statusFile = (directory: string): string => join(directory, "status.json");

/** Writes where it says something new: a file made durable at each poll is most of what a poll costs. */
export function openStatusWriter(directory: string): (status: Status) => void {
  let written = "";
  return (status) => {
    const says = JSON.stringify({ ...status, updated_at: null });
    if (says === written) return;
    writeDurable(statusFile(directory), `${JSON.stringify(status, null, 2)}\n`);
    written = says;
  };
}

/**
 * What is over once a later answer was believed: what was wrong with an earlier one, or with the way to it. What a
 * guard, a host or a kernel refused is not ended by an answer.
 */
export function endedBy(refusal: DatedRefusal, believedAt: string): DatedRefusal {
  if (refusal.over_at !== undefined) return refusal;
  switch (refusalEntry(refusal.code).class) {
    case "transport":
    case "forged":
    case "late":
      return { ...refusal, over_at: believedAt };
    case "host":
    case "guard":
    case "apply":
      return refusal;
  }
}

/** Whether a refusal is the last one again, and not news; after one that is over it is. */
export const saysAgain = (last: DatedRefusal | null, { code, message }: Refusal): boolean =>
  last?.code === code && last.message === message && last.over_at === undefined;

/** What there is to tell. `now` and `since` in ISO 8601. */
export function statusOf(
  state: State,
  since: string,
  now: string,
  host: { readonly host: string; readonly fleet: string; readonly url: string },
  refusal: DatedRefusal | null,
  beside: {
    readonly drift: Drift | null;
    readonly others: Others;
    readonly uncut: string | null;
    readonly listening: Listening | null;
    readonly expires: readonly RoleExpiry[];
  },
): Status {
  const applied = committedOf(state);
  const counted = countedOf(state);
  const lease = leaseOf(state);
  return {
    state: state.kind,
    since,
    updated_at: now,
    host: host.host,
    fleet: host.fleet,
    url: host.url,
    applied:
      applied === null
        ? null
        : { seq: applied.seq, revision: applied.revision, bundle_sha256: applied.bundle_sha256 },
    counting: counted === null ? null : { seq: counted.seq, revision: counted.revision },
    held: heldOf(state, Date.parse(now)),
    lease_ends_at: lease === null ? null : new Date(lease).toISOString(),
    last_refusal: refusal,
    drift: beside.drift,
    foreign_drops: beside.others.drops === null ? null : [...beside.others.drops],
    foreign_redirects: beside.others.redirects === null ? null : [...beside.others.redirects],
    foreign_unlisted: beside.others.unlisted,
    flows_uncut: beside.uncut,
    listening: beside.listening,
    expires: [...beside.expires],
  };
}

/** @returns undefined before the first cycle, or when the file is torn */
export function readStatus(directory: string): Status | undefined {
  try {
    const text = readOptional(statusFile(directory));
    return text === undefined ? undefined : Status.parse(JSON.parse(text.toString("utf8")));
  } catch {
    return undefined;
  }
}

function heldOf(state: State, now: number): Status["held"] {
  if (state.kind === "unenrolled" || state.kind === "applying") return null;
  const until = findHoldEnd(state.reverts, now);
  return until === null || state.reverts.barred === null
    ? null
    : { until: new Date(until).toISOString(), revision: state.reverts.barred.revision };
}

const formatHeld = ({ until, revision }: NonNullable<Status["held"]>): readonly string[] => [
  `hold      three rulesets in a row did not prove themselves under this guard; the last was revision ${revision}`,
  `          A changed guard, or a newer revision, is tried at once; what was tried waits until ${until}`,
];

/** Lines for people. `now` in milliseconds since the Unix epoch. */
export function formatStatus(status: Status, running: boolean, now: number): string {
  const { applied, counting, lease_ends_at: lease, last_refusal: refusal } = status;
  return [
    `host      ${status.host} of fleet ${status.fleet}, from ${status.url}`,
    `agent     ${running ? "running" : "not running; the kernel keeps what it has"}`,
    `state     ${status.state} since ${status.since}`,
    `ruleset   ${applied === null ? "none committed yet" : `seq ${applied.seq}, revision ${applied.revision}`}`,
    ...(counting === null ? [] : formatCounting(counting)),
    ...(status.held === null ? [] : formatHeld(status.held)),
    `lease     ${lease === null ? "none" : formatLease(Date.parse(lease) - now, lease)}`,
    ...formatExpiries(status.expires, now),
    ...(refusal === null
      ? []
      : [
          `refused   ${refusal.code} at ${refusal.at}: ${refusal.message}`,
          refusal.over_at === undefined
            ? `          ${remedyOf(refusal.code, refusal.line)}`
            : `          Over since ${refusal.over_at}; nothing to do.`,
        ]),
    ...(status.drift === null ? [] : formatDrift(status.drift)),
    ...formatForeign(status.foreign_drops ?? []),
    ...formatRedirects(status.foreign_redirects ?? []),
    ...(status.foreign_unlisted === null
      ? []
      : [
          `foreign   nft cannot list other tables, and ours does not depend on it: ${status.foreign_unlisted}`,
        ]),
    ...(status.flows_uncut === null
      ? []
      : [
          `flows     those that lost their grant with the last commit may go on: ${status.flows_uncut}`,
          "          conntrack(8), ip(8) and ss(8) are needed; it is tried again with the next commit.",
        ]),
    ...(status.listening === null
      ? []
      : formatListening(status.listening, status.foreign_redirects ?? [])),
  ].join("\n");
}

const formatCounting = ({ seq, revision }: NonNullable<Status["counting"]>): readonly string[] => [
  `counting  seq ${seq}, revision ${revision}: nothing is cut, what would be is counted`,
  "          'portcullis-agent adopt' lists what it would cut; 'portcullis-agent adopt --yes' enforces it.",
];
function formatListening(
  { undeclared, silent }: Listening,
  redirects: readonly ForeignRedirect[],
): readonly string[] {
  const more = (count: number): string => (count === 0 ? "" : `, and ${count} more`);
  const listens = undeclared.entries
    .filter(({ protocol, port, addresses }) =>
      addresses.some(
        (address) => !redirects.some((each) => isRedirect(each, { protocol, address, port })),
      ),
    )
    .map(
      ({ protocol, port, addresses, process }) =>
        `${protocol} ${port} on ${addresses.join(", ")}${process === null ? "" : ` (${process})`}`,
    );
  const expected = silent.entries.map(({ protocol, port, last_port, row }) => {
    const ports = port === last_port ? String(port) : `${port}-${last_port}`;
    return `${protocol} ${ports} (${row})`;
  });
  return [
    ...(listens.length === 0
      ? []
      : [`listens   no row lets anybody reach ${listens.join("; ")}${more(undeclared.more)}`]),
    ...(expected.length === 0
      ? []
      : [`silent    nothing listens at ${expected.join("; ")}${more(silent.more)}`]),
  ];
}

function formatExpiries(expires: readonly RoleExpiry[], now: number): readonly string[] {
  const warnings = expires.flatMap(({ role, expires_at, life_seconds }) => {
    const life = life_seconds === null ? null : life_seconds * 1000;
    return describeExpiry(`${role} (${expires_at})`, Date.parse(expires_at) - now, life) ?? [];
  });
  return warnings.map((warning) => `expiry    ${warning}`);
}

const formatRedirects = (redirects: readonly ForeignRedirect[]): readonly string[] => [
  ...redirects.map(
    (redirect) =>
      `redirect  strangers may reach ${describeRedirect(redirect)}, whatever our rows say`,
  ),
  ...(redirects.length === 0
    ? []
    : ["          It hands packets on before our rules for this host see them; narrow it there."]),
];

const formatForeign = (drops: readonly ForeignDrop[]): readonly string[] => [
  ...drops.map((drop) => `foreign   ${drop.hook} is also judged by ${describeDropping(drop)}`),
  ...(drops.length === 0
    ? []
    : [
        "          What it does not accept is dropped whatever our rules say; accept there too, or remove it.",
      ]),
];

function formatDrift({ count, contended, last }: Drift): readonly string[] {
  const who = last.by === null ? "" : ` by ${last.by}`;
  const more =
    last.total > last.changes.length ? [`and ${last.total - last.changes.length} more`] : [];
  return [
    `drift     ${count} since the agent started, last at ${last.at}${who}, ${last.repaired ? "repaired" : "not repaired"}`,
    ...[...last.changes.slice(0, 5), ...more].map((text) => `          ${text}`),
    ...(contended
      ? ["          Another program keeps writing to table inet portcullis; find it and stop it."]
      : []),
  ];
}

function formatLease(leftMs: number, ends: string): string {
  const minutes = Math.floor(Math.abs(leftMs) / 60_000);
  const span = `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return leftMs > 0 ? `${span} left (until ${ends})` : `over for ${span} (since ${ends})`;
}
