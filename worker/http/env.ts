/** What a request carries through the app besides itself. Types only. */
import type { TokenScope } from "#schema/api/tokens.ts";

/** Who is asking, as authenticated: `admin` or `token:<name>`. */
export interface Principal {
  readonly name: string;
  /** The token's id; null for the first operator token, which is no row. */
  readonly token: string | null;
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
