/** Boot, as the package's unit does it: the argv of the script that loads what a host held. */
import { restoreScript } from "#agent/backend/nft/scripts.ts";

export const restoring = (state: string, fallback: string, nft = "nft"): readonly string[] => [
  "/bin/sh",
  "-c",
  restoreScript,
  "restore.sh",
  state,
  fallback,
  nft,
];
