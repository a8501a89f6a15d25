/**
 * Control planes that a person works with, by name, in `profiles.json` of the configuration folder (0600): where each is,
 * whom to trust for it, and the file with the token. The token itself is never copied there. Options win over environment
 * variables, and those over a profile; a profile's token goes to that profile's control plane and to no other.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";
import { UsageError } from "#args/exits.ts";
import { Key } from "#schema/primitives.ts";

const Profile = z.strictObject({
  url: z.string(),
  token_file: z.string(),
  ca: z.string().nullable(),
});
export type Profile = z.infer<typeof Profile>;

const Profiles = z.strictObject({
  /** The one that is meant where none is named. */
  current: Key,
  profiles: z.record(Key, Profile),
});
type Profiles = z.infer<typeof Profiles>;

export const defaultProfile = "default";

type Env = Readonly<NodeJS.ProcessEnv>;

/** Undefined where the environment names no folder of this person's. */
function pathOf(env: Env): string | undefined {
  const home = env["HOME"];
  const folder = env["XDG_CONFIG_HOME"] ?? (home === undefined ? undefined : join(home, ".config"));
  return folder === undefined || folder === ""
    ? undefined
    : join(folder, "portcullis", "profiles.json");
}

/**
 * The profile that is meant: the named one, else the current one; undefined where there is none and none was named.
 * @throws UsageError for a name that nobody logged in under, and for a file that cannot be read
 */
export function findProfile(name: string | undefined, env: Env): Profile | undefined {
  const wanted = name ?? env["PORTCULLIS_PROFILE"];
  const stored = readProfiles(env);
  if (wanted === undefined) return stored?.profiles[stored.current];
  const found =
    stored !== undefined && Object.hasOwn(stored.profiles, wanted)
      ? stored.profiles[wanted]
      : undefined;
  if (found === undefined)
    throw new UsageError(
      `there is no profile ${JSON.stringify(wanted)}; portcullis login --profile NAME makes one`,
    );
  return found;
}

/** Stores a profile and makes it the current one. @returns the path of the file. @throws UsageError */
export function storeProfile(name: string, profile: Profile, env: Env): string {
  const path = pathOf(env);
  if (path === undefined)
    throw new UsageError("nowhere to store a profile: neither XDG_CONFIG_HOME nor HOME is set");
  const stored: Profiles = {
    current: name,
    profiles: { ...readProfiles(env)?.profiles, [name]: profile },
  };
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    replaceFile(path, `${JSON.stringify(stored, null, 2)}\n`);
  } catch (error) {
    throw new UsageError(`cannot write ${path}: ${codeOf(error)}`);
  }
  return path;
}

/** Whole or not at all, by a name that nobody else writes to, or has put a link at: two logins at once lose neither file. */
function replaceFile(path: string, text: string): void {
  const fresh = `${path}.${randomUUID()}.tmp`;
  try {
    writeFileSync(fresh, text, { mode: 0o600, flag: "wx", flush: true });
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

function readProfiles(env: Env): Profiles | undefined {
  const path = pathOf(env);
  if (path === undefined) return undefined;
  const text = readOrNothing(path);
  if (text === undefined) return undefined;
  const read = Profiles.safeParse(parseOrNothing(text));
  if (!read.success)
    throw new UsageError(
      `${path}: expected profiles as portcullis login writes them; mend it, or remove it and log in again`,
    );
  return read.data;
}

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw new UsageError(`cannot read ${path}: ${codeOf(error)}`);
  }
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
