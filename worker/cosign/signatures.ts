/**
 * Where operators sign targets: takes their signatures, publishes what a threshold signed, and says in time what must be
 * signed again. Everything that is written here ends in an audit row.
 */
import { operatorsSign, type Root, type Signature } from "#schema/tuf.ts";
import type { Part } from "#worker/lib/part.ts";
import type { Ports } from "#worker/ports/index.ts";
import { Refused } from "#worker/lib/refused.ts";
import {
  operatorsLifetime,
  makeOwnSignatures,
  type Pending,
  proposeAgain,
  publishPending,
  type RootInForce,
  readRootInForce,
  addSignatures,
} from "#worker/signing/index.ts";
import { type Attempt, writeAudited, type Author } from "#worker/db/audit.ts";
import {
  listPending,
  type Publications,
  makePublicationStatements,
  readPending,
  readRepository,
  signaturesStatement,
  readUnsignedTargets,
} from "#worker/served/index.ts";

export interface Taken {
  readonly pending: Pending;
  /** Whether the threshold was reached and hosts are told. */
  readonly published: boolean;
}

/**
 * Adds signatures to what waits for a host, and publishes it when they are enough.
 * @throws Refused `not_found` when nothing waits, `conflict` when another seq does, `bad_request` for a signature that
 * no targets key made over these bytes
 */
export const takeSignatures = (
  ports: Ports,
  actor: Author,
  host: string,
  seq: number,
  signatures: readonly Signature[],
): Promise<Taken> =>
  writeAudited(ports.sql, async (): Promise<Attempt<Taken>> => {
    const root = await readRootInForce(ports.sql);
    const waiting = await readPending(ports.sql, host);
    if (root === undefined || waiting === undefined) throw new Refused("not_found", nothingWaits);
    if (waiting.seq !== seq)
      throw new Refused("conflict", {
        detail: `Seq ${waiting.seq} waits now: read it before you sign.`,
      });
    const pending = await addSignatures(waiting, root.signed, signatures);
    if (pending === undefined) throw new Refused("bad_request", { errors: [notOurs] });
    const keys = signatures.map(({ keyid }) => keyid);
    return take(ports, root.signed, pending, { actor, keys });
  });

export const nothingWaits = { detail: "Nothing of this host waits for a signature." };

const notOurs = {
  path: "/signatures",
  code: "targets_signature",
  message: "expected signatures by targets keys of the root in force over the targets that wait",
} as const;

async function take(
  ports: Ports,
  root: Root,
  pending: Pending,
  by: { readonly actor: Author; readonly keys: readonly string[] },
): Promise<Extract<Attempt<Taken>, { write: true }>> {
  const at = ports.clock.now();
  const { host, seq, bundle_sha256 } = pending;
  const previous = await readRepository(ports.sql, host);
  const lease = { ...ports.settings, now: at, signer: ports.signer, root, previous };
  const repository = await publishPending(lease, pending);
  const published: Publications = {
    added: repository === undefined || previous !== undefined ? [] : [repository],
    updated: repository === undefined || previous === undefined ? [] : [repository],
    pending: [],
  };
  const body = { host, seq, bundle_sha256, keys: by.keys, published: repository !== undefined };
  return {
    write: true,
    entry: {
      at,
      actor: by.actor,
      on_behalf_of: null,
      action: "targets.sign",
      revision: null,
      body,
    },
    statements: [
      signaturesStatement(ports.sql, pending),
      ...makePublicationStatements(ports.sql, at, published),
    ],
    result: { pending, published: repository !== undefined },
  };
}

/** Hosts at once; maintenance comes again in a minute. */
const atOnce = 100;

/** Keeps what waits in step with the root: proposes what must be signed anew, or signs what waits where it may alone. */
export async function settlePending(ports: Ports, root: RootInForce, part: Part): Promise<void> {
  if (operatorsSign(root.signed)) return proposeDue(ports, root.signed, part);
  for (const waiting of await listPending(ports.sql, "", atOnce))
    await part(`what waits for host ${waiting.host}`, () =>
      signWaiting(ports, root.signed, waiting),
    );
}

const signWaiting = (ports: Ports, root: Root, waiting: Pending): Promise<unknown> =>
  writeAudited(ports.sql, async (): Promise<Attempt<unknown>> => {
    const pending = await readPending(ports.sql, waiting.host);
    if (pending?.seq !== waiting.seq) return { write: false, result: undefined };
    const own = await makeOwnSignatures(root, ports.signer, pending.targets);
    const signed = await addSignatures(pending, root, own);
    if (signed === undefined || own.length === 0) return { write: false, result: undefined };
    return take(ports, root, signed, { actor: "maintenance", keys: own.map(({ keyid }) => keyid) });
  });

/** From half of their lives on, so that people have weeks; or as soon as the root names other keys. */
const proposeDue = (ports: Ports, root: Root, part: Part): Promise<void> =>
  writeAudited(ports.sql, async (): Promise<Attempt<void>> => {
    const now = ports.clock.now();
    const due = await readUnsignedTargets(ports.sql, root, now + operatorsLifetime / 2, atOnce);
    if (due.length === 0) return { write: false, result: undefined };
    const lease = { ...ports.settings, now, signer: ports.signer, root, waiting: undefined };
    const pending: Pending[] = [];
    for (const previous of due)
      await part(`what host ${previous.host} needs signed`, async () => {
        pending.push(await proposeAgain({ ...lease, previous }));
      });
    if (pending.length === 0) return { write: false, result: undefined };
    const body = { hosts: pending.map(({ host, seq }) => `${host} ${seq}`) };
    return {
      write: true,
      entry: {
        at: now,
        actor: "maintenance",
        on_behalf_of: null,
        action: "targets.propose",
        revision: null,
        body,
      },
      statements: makePublicationStatements(ports.sql, now, { added: [], updated: [], pending }),
      result: undefined,
    };
  });
