/**
 * What this host's systemd units mean for our rules, where a person should change that. Some flush every table of
 * nftables, ours with it: Debian's own `nftables.service` does, by `flush ruleset` at the head of its file and when it
 * stops. Reads enabled units and what they load; one that hides it in a program is not seen.
 */
import { closeSync, constants, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "#agent/disk/files.ts";

interface Flusher {
  /** Such as `nftables.service`. */
  readonly unit: string;
  /** When it flushes. */
  readonly at: readonly ("start" | "reload" | "stop")[];
  /** Files with `flush ruleset` that it loads. */
  readonly files: readonly string[];
  /** Our ruleset is loaded again as a part of the same step, as our drop-in does for Debian's unit. */
  readonly mended: boolean;
}

const system = "etc/systemd/system";
/** Where a unit may be defined; the first that has it counts (systemd.unit(5)). */
const places = [system, "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];
/** The head of a file is enough: to flush comes first. */
const readBytesMax = 256 * 1024;

/** Sentences for people, each with what to do. @param root of the file system */
export function listUnitWarnings(root = "/"): readonly string[] {
  const enabled = listEnabledServices(root);
  return [...listFlushers(root, enabled).map(describeFlusher), ...disabledBoot(root, enabled)];
}

const bootUnit = "portcullis-boot.service";

/** Ours where it is installed, and no boot starts it. */
const disabledBoot = (root: string, enabled: readonly string[]): readonly string[] =>
  placeOf(root, bootUnit) === undefined || enabled.includes(bootUnit)
    ? []
    : [
        `${bootUnit} is not enabled: at boot nothing filters until the agent runs. systemctl enable ${bootUnit}`,
      ];

function listFlushers(root: string, enabled: readonly string[]): readonly Flusher[] {
  return enabled.flatMap((unit) => {
    const commands = commandsOf(root, unit);
    const files = commands
      .flatMap(({ files: loaded }) => loaded)
      .filter((file) => flushesRules(readHead(join(root, file))));
    const flushing = commands.filter(
      (command) => command.flushes || command.files.some((file) => files.includes(file)),
    );
    const at = [...new Set(flushing.map(({ when }) => when))];
    const mended = at.every((when) =>
      commands.some((command) => command.restores && command.when === when),
    );
    return at.length === 0 ? [] : [{ unit, at, files: [...new Set(files)], mended }];
  });
}

/** Names that some target wants. */
function listEnabledServices(root: string): readonly string[] {
  const wanted = entries(join(root, system))
    .filter((name) => /\.(wants|requires)$/.test(name))
    .flatMap((folder) => entries(join(root, system, folder)))
    .filter((name) => name.endsWith(".service"));
  return [...new Set(wanted)].toSorted();
}

interface Command {
  readonly when: Flusher["at"][number];
  readonly flushes: boolean;
  /** Loads our ruleset where it is missing. */
  readonly restores: boolean;
  /** That nft loads. */
  readonly files: readonly string[];
}

const restoreScript = "/usr/lib/portcullis/restore.sh";
/** A line for a unit that flushes: its argv is that of nftables.service.d/portcullis.conf. */
const restoring = `-/bin/sh ${restoreScript} /var/lib/portcullis /etc/portcullis/fallback /usr/sbin/nft missing`;

const whens: Readonly<Record<string, Command["when"]>> = {
  Start: "start",
  Reload: "reload",
  Stop: "stop",
};

const placeOf = (root: string, unit: string): string | undefined =>
  places.find((folder) => entries(join(root, folder)).includes(unit));

/** What a unit runs, with its drop-ins, as far as nft is called by name. */
function commandsOf(root: string, unit: string): readonly Command[] {
  const place = placeOf(root, unit);
  if (place === undefined || readLinkTarget(join(root, place, unit)) === "/dev/null") return [];
  const added = places.map((folder) => join(root, folder, `${unit}.d`));
  const texts = [
    join(root, place, unit),
    ...added.flatMap((folder) => entries(folder).map((name) => join(folder, name))),
  ].map(readHead);
  return texts.flatMap((text) =>
    [...text.matchAll(/^Exec(Start|Reload|Stop)(?:Pre|Post)?=(.*\bnft\b.*)$/gm)].flatMap(
      ([, key = "", command = ""]): readonly Command[] => {
        const when = whens[key];
        const files = [...command.matchAll(/\s(?:-f|--file)[\s=]+(\/\S+)/g)].map(
          ([, file = ""]) => file,
        );
        const restores = command.includes(restoreScript);
        return when === undefined
          ? []
          : [{ when, flushes: flushing.test(command), restores, files }];
      },
    ),
  );
}

const flushing = /\bflush\s+ruleset\b/;
const flushesRules = (text: string): boolean => /^\s*flush\s+ruleset\b/m.test(text);

function describeFlusher({ unit, at, files, mended }: Flusher): string {
  const where = files.length === 0 ? "" : ` in ${files.join(", ")}`;
  const remedy = `Let it delete its own tables instead of 'flush ruleset'${where}`;
  const when = `${unit} flushes every table at ${at.join(", ")}, ours too`;
  return mended
    ? `${when}, which comes back at once; for that moment nothing filters. ${remedy}.`
    : `${when}: at boot nothing filters until the agent runs, and later for two seconds. ${remedy}, or ` +
        `'systemctl edit ${unit}' and add to [Service]: ExecStartPost=${restoring}`;
}

/** What is not there, or not ours to read, flushes nothing that we could name. */
function readOr<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (isErrno(error)) return otherwise;
    throw error;
  }
}

const entries = (path: string): readonly string[] => readOr(() => readdirSync(path), []);
const readLinkTarget = (path: string): string => readOr(() => readlinkSync(path), "");

function readHead(path: string): string {
  return readOr(() => {
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const bytes = Buffer.alloc(readBytesMax);
      return bytes.toString("utf8", 0, readSync(file, bytes));
    } finally {
      closeSync(file);
    }
  }, "");
}
