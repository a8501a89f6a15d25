/**
 * Enrolment: turns a one-time token into an identity. The root is fetched and compared with the pinned digest before
 * the token leaves this host, so that whoever answers in the control plane's place gets nothing (THREATS.md,
 * row 17). The private key is made here and never sent.
 */
import { sign } from "node:crypto";
import { sizeLimits } from "#schema/bundle.ts";
import { EnrolResponse, type EnrolRequest, enrolProof } from "#schema/wire.ts";
import {
  type Enrolment,
  newHostKey,
  encodePublicHalf,
  writeIdentity,
} from "#agent/disk/identity.ts";
import { makeDirectory } from "#agent/disk/files.ts";
import { Refused } from "#agent/machine/refusal.ts";
import { json, parseReply, unexpectedStatus } from "#agent/transport/client.ts";
import { parseEndpoint } from "#agent/transport/endpoint.ts";
import { type Limits, send } from "#agent/transport/request.ts";
import { readTrustedTls } from "#agent/transport/trusted-ca.ts";
import { pinRoot } from "#agent/trust/index.ts";
import { sha256 } from "#agent/disk/digest.ts";

export interface JoinInput {
  readonly directory: string;
  readonly url: string;
  /** Lower-case hex, as printed by `portcullis enrol`. */
  readonly rootSha256: string;
  readonly token: string;
  /** PEM of certificates to trust besides the system's. */
  readonly ca: string | null;
}

const replyBytesMax = 16_384;

/** Enrols this host and prepares its state directory. @throws Refused */
export async function join(input: JoinInput, limits: Limits): Promise<Enrolment> {
  const { url } = parseEndpoint(input.url);
  const tls = readTrustedTls(input.ca);
  const cycle = AbortSignal.timeout(limits.cycleMs);
  const get = {
    method: "GET",
    url: `${url}/v1/root`,
    headers: {},
    bodyBytesMax: sizeLimits.root,
  } as const;
  const root = await send(get, limits, tls, cycle);
  if (root.status !== 200) throw unexpectedStatus("root", root);
  if (sha256(root.body) !== input.rootSha256)
    throw new Refused(
      "root_invalid",
      "the control plane's root is not the pinned one; the token was not sent",
    );

  makeDirectory(input.directory);
  pinRoot(input.directory, root.body);
  const key = newHostKey();
  const publicKey = encodePublicHalf(key);
  const proof = sign(null, enrolProof(sha256(input.token), input.rootSha256, publicKey), key);
  const request: EnrolRequest = {
    token: input.token,
    public_key: publicKey,
    root_sha256: input.rootSha256,
    proof: proof.toString("base64url"),
  };
  const call = { ...json(request), url: `${url}/v1/agent/enrol`, bodyBytesMax: replyBytesMax };
  const reply = await send(call, limits, tls, cycle);
  if (reply.status !== 200 && reply.status !== 201) throw unexpectedStatus("enrol", reply);
  const response = EnrolResponse.safeParse(parseReply(reply.body));
  if (!response.success) throw new Refused("response_malformed", "expected host and fleet");
  const { host, fleet } = response.data;
  const enrolment: Enrolment = { url, host, fleet, root_sha256: input.rootSha256, ca: input.ca };
  writeIdentity(input.directory, enrolment, key);
  return enrolment;
}
