/**
 * The repository names no package registry: where packages come from is the machine's business, what they are is the
 * lock's (an integrity for each package that this project installs on its platforms).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { trackedFiles } from "./tracked.ts";

const Lock = z.object({
  packages: z.record(
    z.string(),
    z.object({
      integrity: z.string().optional(),
      os: z.union([z.string(), z.array(z.string())]).optional(),
      cpu: z.union([z.string(), z.array(z.string())]).optional(),
      libc: z.union([z.string(), z.array(z.string())]).optional(),
    }),
  ),
});
type Locked = z.infer<typeof Lock>["packages"][string];

const address =
  /registry\.[a-z]+\.[a-z]+|https?:\/\/[^\s"']*\/-\/[^\s"']*\.tgz|^\s*@?[\w-]*:?registry\s*=|_authToken|"resolved":/m;
/** The file that holds the pattern itself. */
const own = "test/checks/registry.ts";

const fits = (wanted: string | readonly string[] | undefined, ours: readonly string[]): boolean =>
  wanted === undefined || [wanted].flat().some((one) => ours.includes(one));

/** Where this project runs: Linux with glibc, x64 and arm64. */
function forUs(entry: Locked): boolean {
  return (
    fits(entry.os, ["linux"]) && fits(entry.cpu, ["x64", "arm64"]) && fits(entry.libc, ["glibc"])
  );
}

export function registryFindings(root: string): readonly string[] {
  const found = trackedFiles(root)
    .filter((path) => path !== own && address.test(readFileSync(join(root, path), "utf8")))
    .map((path) => `${path}: names a package registry`);
  const { packages } = Lock.parse(
    JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")),
  );
  for (const [path, entry] of Object.entries(packages)) {
    if (path !== "" && entry.integrity === undefined && forUs(entry)) {
      found.push(`package-lock.json: ${path} has no integrity`);
    }
  }
  return found;
}
