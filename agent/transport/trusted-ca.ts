/**
 * The agent's TLS, made when it is first needed and made anew after the system's store was changed: an administrator
 * who adds a certificate, or takes one away, need not know of this process.
 */
import type { Agent } from "node:https";
import { makeTlsAgent } from "#tls/agent.ts";
import { StoreError, storeMark } from "#tls/store.ts";
import { Refused } from "#agent/machine/refusal.ts";

export interface TrustedTls {
  /** One agent keeps TLS sessions for resumption, but no idle connections: each request proves that a new one comes through. */
  agent(): Agent;
}

/**
 * @param ca certificates to believe besides the system's, PEM
 * @returns whose `agent` throws Refused `unreachable` while the store cannot be used
 */
export function readTrustedTls(
  ca: string | null,
  env: NodeJS.ProcessEnv = process.env,
): TrustedTls {
  let made: { readonly agent: Agent; readonly mark: string } | undefined;
  return {
    agent() {
      try {
        const mark = storeMark(env);
        if (made?.mark !== mark)
          made = { agent: makeTlsAgent(ca, { keepAlive: false }, env), mark };
        return made.agent;
      } catch (error) {
        if (error instanceof StoreError) throw new Refused("unreachable", error.message);
        throw error;
      }
    },
  };
}
