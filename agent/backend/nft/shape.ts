/** Rules and elements in one spelling, from a program and from nft's JSON alike, so that they can be compared. */
import * as z from "zod";
import type { Decision, Line } from "#core/render/nft/program.ts";

const spellDecision = (decision: Decision): string => {
  switch (decision.kind) {
    case "jump":
    case "goto":
      return `${decision.kind} ${decision.chain}`;
    case "vmap":
      return `vmap @${decision.map}`;
    case "accept":
    case "drop":
    case "reject":
    case "continue":
      return decision.kind;
  }
};

/** Such as `@a4_dev counter r_dev accept`. */
export const lineShape = (line: Line): string =>
  [
    ...line.sets.map((set) => `@${set}`),
    ...line.counters.map((name) => `counter ${name}`),
    spellDecision(line.decision),
  ].join(" ");

const Target = z.object({ target: z.string() });
const Lookup = z.object({ right: z.string().startsWith("@") });
const Dispatch = z.object({ data: z.string() });

/** The same of a listed rule; a statement that we never print stands in it by its name. */
export function formatRule(expr: readonly Readonly<Record<string, unknown>>[]): string {
  const parts = expr.flatMap((statement) =>
    Object.entries(statement).map(([kind, value]) => formatStatement(kind, value)),
  );
  const shape = parts.filter((part) => part !== "").join(" ");
  return /(^| )(accept|drop|reject|jump .*|goto .*|vmap .*)$/.test(shape)
    ? shape
    : `${shape} continue`.trim();
}

function formatStatement(kind: string, value: unknown): string {
  switch (kind) {
    case "match":
      return Lookup.safeParse(value).data?.right ?? "";
    case "counter":
      return typeof value === "string" ? `counter ${value}` : "counter";
    case "jump":
    case "goto":
      return `${kind} ${Target.parse(value).target}`;
    case "vmap":
      return `vmap ${Dispatch.safeParse(value).data?.data ?? "?"}`;
    default:
      return kind;
  }
}

const Prefix = z.object({ prefix: z.object({ addr: z.string(), len: z.int() }) });
const Range = z.object({ range: z.tuple([z.string(), z.string()]) });
/** A port stands last, and its protocol before it. */
const Concat = z.object({ concat: z.array(z.union([z.string(), z.int()])) });
/** Without /etc/protocols, as on a minimal Debian, nft lists protocols by their numbers. */
const protocolNames: ReadonlyMap<unknown, string> = new Map([
  [6, "tcp"],
  [17, "udp"],
]);
const Entry = z.tuple([z.union([z.string(), Concat]), z.object({ jump: Target })]);

/** One element as a program spells it. */
export function formatElement(element: unknown): string {
  if (typeof element === "string") return element;
  const prefix = Prefix.safeParse(element);
  if (prefix.success) return `${prefix.data.prefix.addr}/${prefix.data.prefix.len}`;
  const concat = Concat.safeParse(element);
  if (concat.success) return concatText(concat.data.concat);
  const entry = Entry.safeParse(element);
  if (entry.success) return `${formatElement(entry.data[0])} : jump ${entry.data[1].jump.target}`;
  const range = Range.safeParse(element);
  return range.success ? range.data.range.join("-") : JSON.stringify(element);
}

const concatText = (parts: readonly (string | number)[]): string =>
  parts
    .map((part, i) => (i === parts.length - 2 ? (protocolNames.get(part) ?? part) : part))
    .join(" . ");
