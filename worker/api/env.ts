/** What a request carries through the app besides itself. */
import type { Context } from "hono";
import type { TokenScope } from "#schema/wire.ts";
import { Refused } from "../problem.ts";

/** Who is asking, as authenticated: `admin` or `token:<name>`. */
export interface Principal {
  readonly name: string;
  readonly scopes: ReadonlySet<TokenScope>;
  /** Milliseconds since the Unix epoch; null when it does not expire. */
  readonly expires_at: number | null;
}

export interface AppEnv {
  Variables: {
    requestId: string;
    /** Set by `authorize` on routes for tokens; a host's own routes authenticate by themselves. */
    principal: Principal | undefined;
  };
}

/** The authenticated principal. @throws Refused `unauthenticated` on a route that did not ask for one */
export function principalOf(c: Context<AppEnv>): Principal {
  const principal = c.get("principal");
  if (principal === undefined) throw new Refused("unauthenticated");
  return principal;
}
