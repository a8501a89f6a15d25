/**
 * A service's grants as rules of scope `host`, one for each grant and each of its ports, and the sets they name.
 * The same rules go to every host of the service: only sets know who is meant, so a new member changes no rule.
 */
import { formatCanonical } from "#schema/canonical.ts";
import type { Ingress } from "#schema/intent.ts";
import { parsePortRange } from "#schema/intent.ts";
import type { MacroPort } from "#schema/macros.ts";
import { macros } from "#schema/macros.ts";
import { type Rule, widest } from "#schema/ruleset.ts";
import { hashText } from "#schema/sha256.ts";
import { parseUnixSeconds } from "#schema/time.ts";
import type { Entry } from "./catalog.ts";
import type { Reference } from "./directory.ts";
import { setNameOf } from "./directory.ts";
import { grantRow, rowCounter } from "./names.ts";
import { compareAccepts, type Ordered } from "./rule-order.ts";

/** One rule and what its place in the order depends on. */
export interface GrantRule {
  readonly rule: Rule;
  readonly reference: Reference;
}

/**
 * The rules of one service, in no order. The same grant written twice is one row.
 * @throws Error when a source has no meaning: such intent does not compile
 */
export function grantRules({ key, body, sources }: Entry): readonly GrantRule[] {
  const rows = new Set<string>();
  return body.ingress.flatMap((ingress, i) => {
    const meaning = sources[i];
    if (meaning?.ok !== true) throw new Error(`grant ${i} of service ${key} has no meaning`);
    const row = rowOf(key, ingress);
    if (rows.has(row)) return [];
    rows.add(row);
    return portsOf(ingress).map((port) => ({
      rule: ruleOf(row, meaning.reference, port, expiryOf(ingress)),
      reference: meaning.reference,
    }));
  });
}

/** By what the grant says of packets: `reason` and `required` are for people, and change no host. */
function rowOf(service: string, { from, port, proto, macro, expires_at }: Ingress): string {
  const said = {
    from,
    ...(port === undefined ? {} : { port: String(port) }),
    ...(proto === undefined ? {} : { proto }),
    ...(macro === undefined ? {} : { macro }),
    ...(expires_at === undefined ? {} : { expires_at }),
  };
  return grantRow(service, hashText(formatCanonical(said)).slice(0, 12));
}

function portsOf({ port, proto, macro }: Ingress): readonly MacroPort[] {
  if (macro !== undefined) return macros[macro];
  const range = port === undefined ? undefined : parsePortRange(port);
  if (range === undefined || proto === undefined)
    throw new Error("a grant has a port and a proto, or a macro");
  return [{ proto, ...range }];
}

function expiryOf({ expires_at }: Ingress): number | null {
  if (expires_at === undefined) return null;
  const seconds = parseUnixSeconds(expires_at);
  if (seconds === undefined) throw new Error(`a grant's expiry is a time, found ${expires_at}`);
  return seconds;
}

const ruleOf = (
  row: string,
  reference: Reference,
  port: MacroPort,
  expires: number | null,
): Rule => ({
  ...widest,
  row,
  scope: "host",
  section: "grant",
  direction: "in",
  protocol: {
    kind: port.proto,
    ports: { kind: "ranges", ranges: [{ from: port.from, to: port.to }] },
    sourcePorts: { kind: "any" },
  },
  source: reference.kind === "any" ? { kind: "any" } : { kind: "set", set: setNameOf(reference) },
  verdict: "accept",
  counter: rowCounter(row),
  expires,
});

const kinds: Readonly<Record<Reference["kind"], Ordered["kind"]>> = {
  any: "any",
  role: "hosts",
  host: "hosts",
  group: "addresses",
  zone: "networks",
  network: "networks",
};

const orderedOf = ({ rule, reference }: GrantRule): Ordered => ({
  rule,
  kind: kinds[reference.kind],
});

export const compareGrants = (a: GrantRule, b: GrantRule): number =>
  compareAccepts(orderedOf(a), orderedOf(b));

/** What no grant lets in. */
export const defaultDrop = (row: string): Rule => ({
  ...widest,
  row,
  scope: "host",
  section: "end",
  direction: "in",
  verdict: "drop",
  counter: rowCounter(row),
});
