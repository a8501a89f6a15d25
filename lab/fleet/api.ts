/** The lab as an operator: the command line's own client of the control plane's HTTP API, with the admin token. */
import { type Client, connect } from "#cli/http/client.ts";
import { openTransport } from "#cli/http/transport.ts";

export interface Api extends Client {
  /** Exact bytes of a public document, or undefined when it is not there yet. */
  bytes(path: string): Promise<Uint8Array | undefined>;
}

export function openApi(url: string, token: string): Api {
  return {
    ...connect(new URL(url), token, openTransport(undefined, process.env)),
    bytes: async (path) => {
      const response = await fetch(new URL(path, url));
      return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined;
    },
  };
}
