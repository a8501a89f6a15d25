/** Decides what `npm start` was asked for. Reads arguments only; prints nothing and ends nothing. */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { patienceMs } from "./process.ts";

export const runtimes = ["standalone", "workerd"] as const;
export type Runtime = (typeof runtimes)[number];

export interface Options {
  readonly once: boolean;
  readonly runtime: Runtime;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Absolute path of the folder that holds everything the lab keeps. */
  readonly data: string;
  /** How long packets and hosts are waited for when there is no news of them. */
  readonly patienceMs: number;
}

export type Parsed =
  | { readonly kind: "run"; readonly options: Options }
  | { readonly kind: "help" }
  | { readonly kind: "usage"; readonly message: string };

export const usage = `Usage: npm start -- [options]

A fleet of five hosts, three VPN clients and a control plane on this machine: watch packets follow the catalog.

  --once               run the story, exit 0 only if packets, simulation and expectation all agree
  --runtime NAME       standalone (default) or workerd (Cloudflare's runtime, with D1 and R2 on this machine)
  --port N             port of the control plane on 127.0.0.1 (default 8787; 0 chooses a free one)
  --data DIR           where rows, keys and agents' state are kept (default .portcullis)
  --patience SECONDS   how long to wait for packets or hosts without any news of them (default ${patienceMs / 1000})
  --help               this text

Exit codes: 0 as asked; with --once, all agree. 1 something differs, failed, or is missing. 2 wrong usage.
3 too busy to tell: packets or hosts were waited for in vain, which is no verdict; look at what else runs, start again.
130 ended by a signal.

Needs root, nft, ip, ping and openssl; without them only the control plane starts.
Clean up after a killed lab: npm run lab:clean [-- --data DIR]`;

const spec = {
  once: { type: "boolean", default: false },
  runtime: { type: "string", default: "standalone" },
  port: { type: "string", default: "8787" },
  data: { type: "string", default: ".portcullis" },
  patience: { type: "string", default: `${patienceMs / 1000}` },
  help: { type: "boolean", default: false },
} as const;

export function parseOptions(args: readonly string[]): Parsed {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: spec,
      strict: true,
      allowPositionals: false,
    });
    if (values.help) return { kind: "help" };
    const runtime = runtimes.find((name) => name === values.runtime);
    if (runtime === undefined)
      return { kind: "usage", message: `--runtime is one of ${runtimes.join(", ")}` };
    const port = /^(0|[1-9]\d{0,4})$/.test(values.port) ? Number(values.port) : 65_536;
    if (port > 65_535) return { kind: "usage", message: "--port is a number from 0 to 65535" };
    const patience = /^[1-9]\d{0,4}$/.test(values.patience) ? Number(values.patience) : undefined;
    if (patience === undefined)
      return { kind: "usage", message: "--patience is a number of seconds from 1 to 99999" };
    const { once, data } = values;
    const options = { once, runtime, port, data: resolve(data), patienceMs: patience * 1000 };
    return { kind: "run", options };
  } catch (error) {
    return { kind: "usage", message: error instanceof Error ? error.message : "bad arguments" };
  }
}

/** Each runtime has rows, root and hosts of its own: a host belongs to one control plane. */
export const homeOf = ({ data, runtime }: Pick<Options, "data" | "runtime">): string =>
  runtime === "standalone" ? data : join(data, runtime);
