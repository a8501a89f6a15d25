/** The files that a commit would hold, without symlinks: tracked, or new and not ignored. Sorted. */
import { execFileSync } from "node:child_process";
import { lstatSync } from "node:fs";
import { join } from "node:path";

export function trackedFiles(root: string): readonly string[] {
  const listing = execFileSync(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    {
      cwd: root,
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  return [...new Set(listing.split("\0"))]
    .filter((path) => path !== "" && isFile(join(root, path)))
    .toSorted();
}

/** Not one that was deleted since, and no symlink, as a host's state directory has them. */
const isFile = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
