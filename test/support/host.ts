/** A host as the control plane meets it: a key of its own, and the requests that an agent makes. */
import { createHash, randomUUID, sign } from "node:crypto";
import { SignJWT } from "jose";
import { newHostKey } from "#agent/disk/identity.ts";
import { Enrolment } from "#schema/api/trust.ts";
import {
  assertionAudience,
  enrolProof,
  type EnrolRequest,
  headers,
  TokenResponse,
} from "#schema/wire.ts";
import type { Plane } from "./plane.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

export interface AssertionClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  readonly jti: string;
  /** Seconds since the Unix epoch. */
  readonly iat: number;
  readonly exp: number;
}

export interface TestHost {
  readonly name: string;
  enrolRequest(token: string, rootSha256: string): EnrolRequest;
  assertion(over?: Partial<AssertionClaims>): Promise<string>;
}

export function newHost(plane: Plane, name: string, privateKey = newHostKey()): TestHost {
  const { x = "" } = privateKey.export({ format: "jwk" });
  return {
    name,
    enrolRequest: (token, root_sha256) => ({
      token,
      public_key: x,
      root_sha256,
      proof: sign(null, enrolProof(sha256(token), root_sha256, x), privateKey).toString(
        "base64url",
      ),
    }),
    assertion(over = {}) {
      const iat = Math.floor(plane.ports.clock.now() / 1000);
      const claims = {
        iss: name,
        sub: name,
        aud: assertionAudience("f1"),
        jti: randomUUID(),
        iat,
        exp: iat + 60,
      };
      return new SignJWT({ ...claims, ...over })
        .setProtectedHeader({ alg: "EdDSA" })
        .sign(privateKey);
    },
  };
}

export async function enrolment(plane: Plane, name: string): Promise<Enrolment> {
  const response = await plane.operator("POST", "/v1/enrolments", { host: name });
  if (response.status !== 201) throw new Error(`no enrolment: ${await response.text()}`);
  return Enrolment.parse(await response.json());
}

export const postJson = (
  plane: Plane,
  path: string,
  body: unknown,
  token?: string,
): Promise<Response> =>
  plane.request(path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });

export const tokenRequest = (client_assertion: string) => ({
  grant_type: "client_credentials",
  client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
  client_assertion,
});

/** Proves the host's key and returns its bearer token. */
export async function tokenOf(plane: Plane, host: TestHost): Promise<string> {
  const response = await postJson(plane, "/v1/agent/token", tokenRequest(await host.assertion()));
  if (response.status !== 200) throw new Error(`no token: ${await response.text()}`);
  return TokenResponse.parse(await response.json()).access_token;
}

/** A declared host's whole way in. */
export async function enrolled(
  plane: Plane,
  name: string,
): Promise<{ host: TestHost; token: string }> {
  const host = newHost(plane, name);
  const { token, root_sha256 } = await enrolment(plane, name);
  const response = await postJson(plane, "/v1/agent/enrol", host.enrolRequest(token, root_sha256));
  if (response.status !== 201) throw new Error(`not enrolled: ${await response.text()}`);
  return { host, token: await tokenOf(plane, host) };
}

/** One poll; `generation`, `renew`, `seen`, `bundle` by their names, other headers as they are. */
export function poll(
  plane: Plane,
  token: string,
  sent: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const named: Readonly<Record<string, string>> = headers;
  const entries = Object.entries(sent).map(
    ([name, value]) => [named[name] ?? name, value] as const,
  );
  return plane.request("/v1/agent/update", {
    headers: { ...Object.fromEntries(entries), authorization: `Bearer ${token}` },
  });
}
