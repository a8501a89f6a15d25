/** What starts a rollout, read from options: which hosts go when, and what must hold before more of them follow. */
import { UsageError } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import { Gates, Strategy } from "#schema/rollout.ts";

export const gateOptions = {
  bake: value(
    "TIME",
    "quiet time after the last commit of a wave (default: 10m, at least three polls)",
  ),
  timeout: value("TIME", "a host that has not answered by then has failed (default: 15m)"),
  "min-committed": value("N", "percent of a wave (default: 95; the first wave: all)"),
  "max-failed": value("N", "percent of a wave; more halts at once (default: 2; the first wave: 0)"),
  "max-unknown": value("N", "percent of a wave; more pauses (default: 5; the first wave: 0)"),
  "deny-ratio": value(
    "N",
    "new drops per second, against the host's own before; more has failed (default: 3)",
  ),
  "no-auto-rollback": flag("halt and leave hosts as they are"),
} as const;

export const strategyHelp =
  "canary (default): one host of each role, then 5, 25, 50 and 100 percent; canary:10,100 with percentages of your own; " +
  "all: everybody at once; labels:env=staging,env=prod: hosts with these labels, in this order, the others last " +
  "(env=prod+site=fra asks for both)";

interface GateValues {
  readonly bake?: string | undefined;
  readonly timeout?: string | undefined;
  readonly "min-committed"?: string | undefined;
  readonly "max-failed"?: string | undefined;
  readonly "max-unknown"?: string | undefined;
  readonly "deny-ratio"?: string | undefined;
  readonly "no-auto-rollback": boolean;
}

/** Only what was given: the control plane knows the rest. @throws UsageError */
export function gatesOf(values: GateValues): Partial<Gates> {
  const given = {
    bake_seconds: parseSeconds("--bake", values.bake),
    timeout_seconds: parseSeconds("--timeout", values.timeout),
    min_committed_percent: parseNumber("--min-committed", values["min-committed"]),
    max_failed_percent: parseNumber("--max-failed", values["max-failed"]),
    max_unknown_percent: parseNumber("--max-unknown", values["max-unknown"]),
    deny_ratio: parseNumber("--deny-ratio", values["deny-ratio"]),
    auto_rollback: values["no-auto-rollback"] ? false : undefined,
  };
  const gates = Object.fromEntries(Object.entries(given).filter(([, one]) => one !== undefined));
  const parsed = Gates.partial().safeParse(gates);
  if (parsed.success) return gates;
  const [issue] = parsed.error.issues;
  throw new UsageError(`${issue?.path.join(".") ?? "gates"}: ${issue?.message ?? "not valid"}`);
}

/** Seconds. */
const units = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

function parseSeconds(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (unit === "s" || unit === "m" || unit === "h" || unit === "d")
    return Number(count) * units[unit];
  throw new UsageError(`${option} is a number of s, m, h or d, such as 10m`);
}

function parseNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,4}(?:\.\d{1,3})?$/.test(text)) throw new UsageError(`${option} is a number`);
  return Number(text);
}

/** Reads `canary`, `canary:10,100`, `all` and `labels:env=staging,env=prod`. @throws UsageError */
export function strategyOf(option: string, text: string): Strategy {
  const [kind, rest] = splitOnce(text, ":");
  const parsed = Strategy.safeParse(parseStrategyParts(kind, rest));
  if (parsed.success) return parsed.data;
  throw new UsageError(`${option} is canary, canary:5,25,100, all or labels:key=value,key=value`);
}

function parseStrategyParts(kind: string, rest: string | undefined): unknown {
  if (kind === "labels") return { kind, waves: (rest ?? "").split(",").map(parseLabels) };
  if (rest === undefined) return { kind };
  return { kind, percentages: rest.split(",").map(Number) };
}

/** Undefined for what is no list of labels, so that it is refused. */
function parseLabels(text: string): Readonly<Record<string, string | undefined>> | undefined {
  if (text === "") return undefined;
  return Object.fromEntries(text.split("+").map((label) => splitOnce(label, "=")));
}

function splitOnce(text: string, by: string): readonly [string, string | undefined] {
  const at = text.indexOf(by);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
