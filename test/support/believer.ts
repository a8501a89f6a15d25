/** A host's own side of the poll: its real trust room over a state directory, and what it sends and believes. */
import { createHash } from "node:crypto";
import { openTrust, pinRoot, type Trust, type TrustedBundle } from "#agent/trust/index.ts";
import { formatSeen, headers, Update } from "#schema/wire.ts";
import { poll } from "./host.ts";
import type { Plane } from "./plane.ts";

export interface Believer {
  readonly trust: Trust;
  /** One cycle. @returns undefined for a 304. @throws Error with the code when what came is refused */
  cycle(plane: Plane): Promise<TrustedBundle | undefined>;
}

/** A host that pinned `root` in an empty directory. */
export function pinned(directory: string, root: string, host: string, token: string): Believer {
  pinRoot(directory, Buffer.from(root));
  return believer(directory, root, host, token);
}

/**
 * A host over the state directory of one that pinned `root`.
 * @param now milliseconds since the Unix epoch at which it starts
 */
export function believer(
  directory: string,
  root: string,
  host: string,
  token: string,
  now = Date.now(),
): Believer {
  const rootSha256 = createHash("sha256").update(root).digest("hex");
  const opened = openTrust(directory, { host, fleet: "f1", rootSha256 }, now);
  if (!opened.ok) throw new Error(opened.refusal.message);
  const trust = opened.value;
  let known: Readonly<Record<string, string>> = {};
  return {
    trust,
    async cycle(plane) {
      const response = await poll(plane, token, { seen: formatSeen(trust.readSeen()), ...known });
      const generation = response.headers.get(headers.generation) ?? "";
      if (response.status !== 200) {
        known = { ...known, generation };
        return undefined;
      }
      known = { "if-none-match": response.headers.get("etag") ?? "", generation };
      const accepted = await trust.accept(
        updateBytes(await response.json()),
        trust.hint(),
        plane.ports.clock.now(),
      );
      if (!accepted.ok) throw new Error(`${accepted.refusal.code}: ${accepted.refusal.message}`);
      return accepted.value;
    },
  };
}

function updateBytes(body: unknown) {
  const { roots, bundle, ...metadata } = Update.parse(body);
  const bytes = (text: string): Buffer => Buffer.from(text, "base64");
  return {
    roots: roots.map(bytes),
    timestamp: bytes(metadata.timestamp),
    snapshot: bytes(metadata.snapshot),
    targets: bytes(metadata.targets),
    bundle: bundle === undefined ? undefined : bytes(bundle),
  };
}
