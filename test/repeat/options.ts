/** Decides what `npm run repeat` was asked for. Reads arguments only; prints nothing and starts nothing. */
import { parseArgs } from "node:util";
import { layers } from "../layers/layers.ts";

/** What is run again and again, how often with nothing beside it, and how often beside a busy loop on every core. */
export interface Plan {
  readonly name: string;
  readonly quiet: number;
  readonly busy: number;
}

export type Parsed =
  | { readonly kind: "run"; readonly plans: readonly Plan[]; readonly minutes: number }
  | { readonly kind: "help" }
  | { readonly kind: "usage"; readonly message: string };

/** What is run when nothing is named: the lab, all of `npm test`, and the layers that know the kernel best. */
const everything: readonly Plan[] = [
  { name: "start", quiet: 20, busy: 10 },
  { name: "test", quiet: 5, busy: 0 },
  { name: "e2e", quiet: 0, busy: 5 },
  { name: "kernel", quiet: 0, busy: 5 },
  { name: "attack", quiet: 0, busy: 5 },
];
const names = ["start", "test", ...layers.map(({ name }) => name)];
const most = 1000;

export const usage = `Usage: npm run repeat -- [options] [what …]

Runs the same thing again and again, alone and beside a busy loop on every core, and prints what came of it as a table.

  what           start (npm start -- --once), test (npm test), or a layer of it: ${names.slice(2).join(", ")}
                 (default: ${everything.map(({ name }) => name).join(", ")})
  --quiet N      runs with nothing beside them, 0 to ${most}
  --busy N       runs beside a busy loop on every core, of the same priority, 0 to ${most}
                 (default: ${everything.map(({ name, quiet, busy }) => `${name} ${quiet} and ${busy}`).join(", ")}, others 1 and 1)
  --minutes N    how long one run may take before it is ended and counts as wrong (default 90)
  --help         this text

Example: npm run repeat -- --quiet 20 --busy 10 start
Exit codes: 0 every run was right. 1 one was not; its output is kept, and the table names the folder. 2 wrong usage.
130 ended by a signal, after the table of what had run.`;

const spec = {
  quiet: { type: "string" },
  busy: { type: "string" },
  minutes: { type: "string", default: "90" },
  help: { type: "boolean", default: false },
} as const;

export function parseOptions(args: readonly string[]): Parsed {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: spec,
      allowPositionals: true,
    });
    if (values.help) return { kind: "help" };
    const unknown = positionals.filter((name) => !names.includes(name));
    if (unknown.length > 0)
      return usageError(
        `nothing to run is called ${unknown.join(", ")}; there are ${names.join(", ")}`,
      );
    const [quiet, busy, minutes] = [values.quiet, values.busy, values.minutes].map(countOf);
    if (minutes === 0) return usageError("--minutes is a number from 1");
    const wanted = positionals.length > 0 ? positionals : everything.map(({ name }) => name);
    const plans = [...new Set(wanted)].map((name) => {
      const usual = everything.find((plan) => plan.name === name) ?? { name, quiet: 1, busy: 1 };
      return { name, quiet: quiet ?? usual.quiet, busy: busy ?? usual.busy };
    });
    return { kind: "run", plans, minutes: minutes ?? 90 };
  } catch (error) {
    return usageError(error instanceof Error ? error.message : "bad arguments");
  }
}

const usageError = (message: string): Parsed => ({ kind: "usage", message });

function countOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d{1,4}$/.test(text) ? Number(text) : most + 1;
  if (count > most) throw new RangeError(`not a number from 0 to ${most}: ${text}`);
  return count;
}
