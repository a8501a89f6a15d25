/** A rollout as people read it: a list, one frame of a live view, and what is news between two views. Pure. */
import type { HostProgress, RolloutView } from "#schema/rollout.ts";
import { printable } from "#cli/text/output.ts";
import { plural } from "#cli/text/lines.ts";
import { formatSpan, formatTable } from "#cli/text/table.ts";

type Wave = RolloutView["waves"][number];

const count = ({ tally }: Wave, standing: HostProgress): number => tally[standing] ?? 0;
const words = (text: string): string => text.replaceAll("_", " ");
/** As people name a wave; a number alone where there is one phase. */
const waveName = ({ waves }: RolloutView, { phase, n }: Pick<Wave, "phase" | "n">): string =>
  waves.some((wave) => wave.phase !== phase) ? `${phase} wave ${n}` : `wave ${n}`;

const current = ({ waves, phase, wave }: RolloutView): Wave | undefined =>
  waves.find((each) => each.phase === phase && each.n === wave);

export const rolloutTable = (views: readonly RolloutView[]): readonly string[] =>
  formatTable(
    ["ID", "REVISION", "STATUS", "STRATEGY", "WAVE", "HOSTS", "STARTED", "BY", "NOTE"],
    views.map((view) => [
      view.id,
      view.revision,
      words(view.status),
      view.emergency ? "emergency" : view.strategy.kind,
      `${view.phase} ${view.wave}/${view.waves.filter(({ phase }) => phase === view.phase).length}`,
      view.waves.reduce((sum, { hosts }) => sum + hosts, 0),
      view.created_at,
      view.created_by,
      view.note,
    ]),
  );

/** Standings that always have a column, and those that have one only where they occur. */
const always: readonly HostProgress[] = [
  "pending",
  "assigned",
  "committed",
  "reverted",
  "failed",
  "unknown",
];
const sometimes: readonly HostProgress[] = [
  "shown",
  "apart",
  "skipped",
  "rolled_back",
  "superseded",
];

/** All there is to see of one rollout. @param now milliseconds since the Unix epoch */
export function listRolloutLines(view: RolloutView, now: number): readonly string[] {
  const columns = [
    ...always,
    ...sometimes.filter((one) => view.waves.some((wave) => count(wave, one) > 0)),
  ];
  const waves = formatTable(
    ["PHASE", "WAVE", "HOSTS", ...columns.map((one) => words(one).toUpperCase()), "STARTED"],
    view.waves.map((wave) => [
      wave.phase,
      wave.n,
      wave.hosts,
      ...columns.map((one) => count(wave, one)),
      wave.started_at === null ? null : `${formatSpan(now - Date.parse(wave.started_at))} ago`,
    ]),
  );
  const attention = formatTable(
    ["ATTENTION", "STANDING", "WHY"],
    view.attention.map(({ host, standing, detail }) => [host, words(standing), detail]),
  );
  return [
    printable(`${title(view)} by ${view.created_by}: ${view.note}`),
    printable(describeSituation(view, now)),
    ...(view.waves.length === 0 ? [] : waves),
    ...(view.attention.length === 0 ? [] : attention),
  ];
}

const title = ({ id, revision, emergency, strategy }: RolloutView): string =>
  `rollout ${id}: revision ${revision}, ${emergency ? "emergency" : strategy.kind},`;

/** Where it stands and what it waits for. */
function describeSituation(view: RolloutView, now: number): string {
  if (view.status === "awaiting_approval")
    return `awaits a second approval (${view.approved_by.join(", ")} approved)`;
  if (view.status !== "running") return describeEnd(view);
  const wave = current(view);
  if (wave === undefined) return "running";
  const open = count(wave, "pending") + count(wave, "assigned");
  if (open > 0) return `running: ${waveName(view, wave)} waits for ${plural(open, "host")}`;
  if (view.bakes_until === null) return `running: ${waveName(view, wave)}`;
  const left = Date.parse(view.bakes_until) - now;
  return left > 0
    ? `running: ${waveName(view, wave)} bakes for another ${formatSpan(left)}`
    : `running: ${waveName(view, wave)} may be left`;
}

const describeEnd = ({ status, reason }: RolloutView): string =>
  reason === "" ? words(status) : `${words(status)}: ${reason}`;

/** What changed, one line each; all of it on one where nothing was known before. */
export function newsOf(before: RolloutView | undefined, view: RolloutView): readonly string[] {
  if (before === undefined) {
    const hosts = plural(
      view.waves.reduce((sum, wave) => sum + wave.hosts, 0),
      "host",
    );
    const first = `${title(view)} ${plural(view.waves.length, "wave")} of ${hosts} together`;
    return [
      first,
      ...listWaveNews(undefined, view),
      ...listAttentionNews([], view),
      statusNews(view),
    ].map(printable);
  }
  const turned = before.status !== view.status || before.reason !== view.reason;
  return [
    ...listWaveNews(before, view),
    ...listAttentionNews(before.attention, view),
    ...(turned ? [statusNews(view)] : []),
  ].map(printable);
}

const statusNews = (view: RolloutView): string =>
  view.status === "awaiting_approval" ? describeSituation(view, 0) : describeEnd(view);

/** Of the waves that were reached, those whose numbers are others now. */
function listWaveNews(before: RolloutView | undefined, view: RolloutView): readonly string[] {
  return view.waves.flatMap((wave) => {
    const known = before?.waves.find(({ phase, n }) => phase === wave.phase && n === wave.n);
    const said = tallyText(wave);
    const isNews = wave.started_at !== null && (known === undefined || tallyText(known) !== said);
    return isNews ? [`${waveName(view, wave)} of ${plural(wave.hosts, "host")}: ${said}`] : [];
  });
}

const tallyText = (wave: Wave): string =>
  [...always, ...sometimes]
    .filter((standing) => count(wave, standing) > 0)
    .map((standing) => `${count(wave, standing)} ${words(standing)}`)
    .join(", ");

/** Hosts that wait for nothing but time are no news. */
function listAttentionNews(
  known: RolloutView["attention"],
  { attention }: RolloutView,
): readonly string[] {
  const before = new Set(known.map((entry) => JSON.stringify(entry)));
  return attention
    .filter((entry) => entry.standing !== "assigned" && !before.has(JSON.stringify(entry)))
    .map(
      ({ host, standing, detail }) =>
        `${host} ${words(standing)}${detail === "" ? "" : `: ${detail}`}`,
    );
}
