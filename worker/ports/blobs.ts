/** What blobs are on every adapter: bytes that are those of their name, when they are stored and when they are read. */
import { hashSha256 } from "#worker/lib/encoding.ts";
import type { Blobs } from "./index.ts";

/** Stored bytes changed since: they are never served. The same content, published again, writes them anew. */
class DamagedBlob extends Error {
  override readonly name = "DamagedBlob";

  constructor(sha256: string) {
    super(
      `the stored blob ${sha256} has other bytes than its name says and is not served: put it back from a backup, or change a row of its host and change it back`,
    );
  }
}

/** @throws RangeError for a name that is no SHA-256 in lower-case hex */
export function checkBlobs(stored: Blobs): Blobs {
  const isSound = async (sha256: string, bytes: Uint8Array<ArrayBuffer>) =>
    (await hashSha256(bytes)) === sha256;
  const get: Blobs["get"] = async (sha256) => {
    const bytes = await stored.get(requireDigest(sha256));
    if (bytes !== undefined && !(await isSound(sha256, bytes))) throw new DamagedBlob(sha256);
    return bytes;
  };
  return {
    get,
    put: async (sha256, bytes) => {
      if (!(await isSound(requireDigest(sha256), bytes)))
        throw new RangeError("a blob's bytes are not those of its name");
      await stored.put(sha256, bytes);
    },
    list: (after, limit) => stored.list(after, limit),
    remove: (sha256) => stored.remove(requireDigest(sha256)),
  };
}

/** A name that reaches a file system is a digest and nothing else. */
function requireDigest(sha256: string): string {
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new RangeError("expected a SHA-256 in lower-case hex");
  return sha256;
}
