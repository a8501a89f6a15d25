import { describe, expect, test } from "vitest";
import { buildRoot, makeRootKey, type RootKey, signRoot } from "#cli/root/name.ts";
import type { RootFile } from "#core/tuf/read.ts";
import { formatCanonical } from "#schema/canonical.ts";
import { isPinnableKey } from "#schema/ed25519.ts";
import type { Root, TufKey } from "#schema/tuf.ts";
import { memorySigner, onlineKeysOf } from "#test/support/signing.ts";
import { verifyEd25519 } from "#worker/signing/verify.ts";
import { checkSuccessor, readRoot } from "#worker/signing/root.ts";

const signer = memorySigner();
const now = Date.now();
const keys = [makeRootKey(), makeRootKey(), makeRootKey(), makeRootKey()] as const;
const [a, b, c, d] = keys;

const payload = async (
  version: number,
  rootKeys: readonly RootKey[],
  threshold: number,
): Promise<Root> =>
  buildRoot({
    version,
    now,
    threshold,
    rootKeys: rootKeys.map((k) => k.key),
    online: await onlineKeysOf(signer),
  });

const read = (text: string): RootFile => {
  const result = readRoot(text);
  if (!result.ok) throw new Error(result.message);
  return result.root;
};
const root = async (version: number, by: readonly RootKey[], rootKeys = [a, b, c], threshold = 2) =>
  read(signRoot(await payload(version, rootKeys, threshold), by));

const code = (result: { ok: true } | { ok: false; code: string }): string =>
  result.ok ? "ok" : result.code;

describe("the root chain", () => {
  test("begins with version 1, signed by a threshold of 2 of 3", async () => {
    expect(code(await checkSuccessor(undefined, await root(1, [a, c]), now, signer))).toBe("ok");
    expect(code(await checkSuccessor(undefined, await root(1, [a]), now, signer))).toBe(
      "root_threshold",
    );
    expect(code(await checkSuccessor(undefined, await root(2, [a, b]), now, signer))).toBe(
      "root_version",
    );
  });

  test("goes on only with a threshold of the old keys and of the new", async () => {
    const first = await root(1, [a, b]);
    const next = (by: readonly RootKey[]) => root(2, by, [b, c, d], 2);
    expect(code(await checkSuccessor(first, await next([b, c]), now, signer))).toBe("ok");
    expect(code(await checkSuccessor(first, await next([c, d]), now, signer))).toBe(
      "root_threshold",
    );
    expect(code(await checkSuccessor(first, await next([a, b]), now, signer))).toBe(
      "root_threshold",
    );
    expect(code(await checkSuccessor(first, await root(3, [a, b]), now, signer))).toBe(
      "root_version",
    );
    expect(code(await checkSuccessor(first, await root(1, [a, b]), now, signer))).toBe(
      "root_version",
    );
  });

  test("does not count a signature by a stranger, nor one over other bytes", async () => {
    expect(code(await checkSuccessor(undefined, await root(1, [a, d]), now, signer))).toBe(
      "root_threshold",
    );
    const signed = await payload(1, [a, b, c], 2);
    const text = signRoot(signed, [a, b]).replace(/"threshold":2/, '"threshold":1');
    expect(text).not.toBe(signRoot(signed, [a, b]));
    expect(code(await checkSuccessor(undefined, read(text), now, signer))).toBe("root_threshold");
  });

  test("is refused when it is expired", async () => {
    const result = await checkSuccessor(
      undefined,
      await root(1, [a, b]),
      now + 366 * 86_400_000,
      signer,
    );
    expect(code(result)).toBe("root_expired");
  });

  test("is refused when the online roles are not this control plane's keys", async () => {
    const stranger = memorySigner();
    const result = await checkSuccessor(undefined, await root(1, [a, b]), now, stranger);
    expect(code(result)).toBe("root_online_keys");
  });
});

describe("targets that operators sign", () => {
  const verdict = async (by: readonly TufKey[], threshold: number): Promise<string> => {
    const input = {
      version: 1,
      now,
      threshold: 1,
      rootKeys: [a.key],
      online: await onlineKeysOf(signer),
    };
    const result = readRoot(
      signRoot(buildRoot({ ...input, targets: { keys: by, threshold } }), [a]),
    );
    if (!result.ok) return result.code;
    const next = result.root;
    return code(await checkSuccessor(undefined, next, now, signer));
  };

  test("are two operators' at least, or theirs and the control plane's, whose key is never enough", async () => {
    const own = await onlineKeysOf(signer);
    expect(await verdict([b.key, c.key, d.key], 2)).toBe("ok");
    expect(await verdict([b.key, c.key], 1)).toBe("ok");
    expect(await verdict([own.targets, b.key], 2)).toBe("ok");
    expect(await verdict([own.targets, b.key], 1)).toBe("root_online_keys");
    expect(await verdict([b.key], 1)).toBe("root_online_keys");
    expect(await verdict([b.key, own.timestamp], 2)).toBe("root_keys");
    expect(await verdict([a.key, b.key], 2)).toBe("root_keys");
  });
});

describe("readRoot", () => {
  const refusal = (text: string): string => code(readRoot(text));

  test("refuses anything but canonical bytes of our strict shape", async () => {
    const signed = await payload(1, [a, b, c], 2);
    const text = signRoot(signed, [a, b]);
    expect(refusal(`${text}\n`)).toBe("root_malformed");
    expect(refusal(text.replace('{"', '{"_type":"root","'))).toBe("root_malformed");
    expect(refusal(formatCanonical({ signatures: [], signed: { ...signed, more: 1 } }))).toBe(
      "root_malformed",
    );
    expect(refusal("x".repeat(65 * 1024))).toBe("root_too_large");
  });

  test("refuses fake thresholds: a key named twice, a signature given twice, a key under another's name", async () => {
    const signed = await payload(1, [a, b, c], 2);
    const twice = { ...signed.roles, root: { keyids: [a.keyid, a.keyid], threshold: 2 } };
    expect(refusal(signRoot({ ...signed, roles: twice }, [a]))).toBe("root_keys");
    expect(refusal(signRoot(signed, [a, a]))).toBe("root_malformed");
    const renamed = { ...signed.keys, [b.keyid]: a.key };
    expect(refusal(signRoot({ ...signed, keys: renamed }, [a, b]))).toBe("root_keys");
    const high = { ...signed.roles, root: { ...signed.roles.root, threshold: 4 } };
    expect(refusal(signRoot({ ...signed, roles: high }, [a, b]))).toBe("root_keys");
  });

  test("refuses a root key that is an online key", async () => {
    const signed = await payload(1, [a, b, c], 2);
    const roles = { ...signed.roles, targets: { keyids: [a.keyid], threshold: 1 } };
    expect(refusal(signRoot({ ...signed, roles }, [a, b]))).toBe("root_keys");
  });
});

describe("isPinnableKey", () => {
  const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
  // The eight points of low order, canonical and not (y and y + p), each with both signs.
  const low = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ];
  test.each(low)("refuses the low-order key %s with either sign", (text) => {
    const key = hex(text);
    expect(isPinnableKey(key)).toBe(false);
    key[31] = (key[31] ?? 0) | 0x80;
    expect(isPinnableKey(key)).toBe(false);
  });

  test("refuses y above the prime and other lengths, admits generated keys", () => {
    expect(isPinnableKey(hex(`f0${"ff".repeat(30)}7f`))).toBe(false);
    expect(isPinnableKey(new Uint8Array(31))).toBe(false);
    for (const key of keys) expect(isPinnableKey(hex(key.key.keyval.public))).toBe(true);
  });

  test("a signature that a low-order key would 'verify' is refused", async () => {
    // R = identity, S = 0: holds for the identity key over every message.
    const identity = hex(low[1] ?? "");
    const signature = new Uint8Array(64);
    signature[0] = 1;
    expect(await verifyEd25519(identity, signature, new Uint8Array([1, 2, 3]))).toBe(false);
  });
});
