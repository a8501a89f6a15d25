/**
 * Where a grant's traffic may come from, as people write it: `any`, a network, or a name that is resolved at compile.
 * A bare name may be a zone, a role or a host; a name that fits two of them is refused until it is written out.
 */
import { parseAddress, parseCidr } from "./address.ts";
import { Key } from "./primitives.ts";
import * as z from "zod";

export type SourceName =
  | { readonly kind: "any" }
  | { readonly kind: "network"; readonly cidr: string }
  | { readonly kind: "zone" | "role" | "host"; readonly name: string }
  | { readonly kind: "bare"; readonly name: string }
  | { readonly kind: "group"; readonly overlay: string; readonly group: string };

export type ParsedSource =
  | { readonly ok: true; readonly source: SourceName }
  | { readonly ok: false; readonly expected: string };

const expectedForms =
  "any, a network, a zone, role or host by name, zone:name, role:name, host:name or group:overlay/name";
const refuse = (expected: string): ParsedSource => ({ ok: false, expected });
const isKey = (text: string): boolean => Key.safeParse(text).success;

/** Reads one `from`. */
export function parseSource(text: string): ParsedSource {
  if (text === "any") return { ok: true, source: { kind: "any" } };
  const [prefix, rest] = split(text, ":");
  if (rest !== undefined && (prefix === "zone" || prefix === "role" || prefix === "host"))
    return isKey(rest) ? { ok: true, source: { kind: prefix, name: rest } } : refuse(expectedForms);
  if (rest !== undefined && prefix === "group") return parseGroup(rest);
  if (text.includes("/")) {
    const network = parseCidr(text);
    return network.ok
      ? { ok: true, source: { kind: "network", cidr: text } }
      : refuse(network.expected);
  }
  const address = parseAddress(text);
  if (address.ok) return refuse(`a network: ${text}/${address.value.prefix}`);
  return isKey(text) ? { ok: true, source: { kind: "bare", name: text } } : refuse(expectedForms);
}

function parseGroup(text: string): ParsedSource {
  const [overlay, group] = split(text, "/");
  return group !== undefined && isKey(overlay) && isKey(group)
    ? { ok: true, source: { kind: "group", overlay, group } }
    : refuse("group:overlay/name");
}

function split(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** A `from` of a catalog. */
export const SourceExpression = z
  .string({ error: `expected ${expectedForms}` })
  .max(200, { error: `expected ${expectedForms}`, abort: true })
  .check((ctx) => {
    const parsed = parseSource(ctx.value);
    if (!parsed.ok)
      ctx.issues.push({ code: "custom", input: ctx.value, message: `expected ${parsed.expected}` });
  });

/** Hosts that a service runs on: a role or a host, never a network. */
export const TargetExpression = z
  .string({ error: "expected role:name or host:name" })
  .regex(/^(role|host):[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
    error: "expected role:name or host:name",
  });
