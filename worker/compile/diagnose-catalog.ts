/**
 * What is wrong with hosts and services: addresses that two hosts claim, names in `from` and `to` that mean nothing or
 * two things, sources and targets that are empty, names too long for the kernel. All findings, and no repair (law 1).
 */
import type { Diagnostic } from "#schema/refusals.ts";
import { compareText } from "#schema/order.ts";
import type { Entry } from "./catalog.ts";
import type { Directory, Reference } from "./directory.ts";
import { setNameOf, setOf } from "./directory.ts";
import { error, warning } from "./finding.ts";
import { fits, grantRow, isObjectName } from "./names.ts";

export function* catalogFindings(directory: Directory, catalog: readonly Entry[]): Generator<Diagnostic> {
  yield* hostFindings(directory);
  const empty = emptiness(directory);
  for (const entry of catalog) {
    const path = `/services/${entry.key}`;
    if (!fits(grantRow(entry.key, "0".repeat(12)))) yield error("name_too_long", path, tooLong(entry.key));
    yield* sourceFindings(path, entry, empty);
    yield* targetFindings(path, entry);
  }
}

const tooLong = (name: string): string =>
  `${name} as a kernel object's name is too long: each character but letters and digits counts two or three`;

/** An address names one host: a packet from it would otherwise fill two roles. */
function* hostFindings({ snapshot }: Directory): Generator<Diagnostic> {
  const owners = new Map<string, string>();
  for (const [key, { addresses }] of [...snapshot.hosts].sort(([a], [b]) => compareText(a, b))) {
    for (const [i, address] of addresses.entries()) {
      const owner = owners.get(address);
      if (owner === undefined) owners.set(address, key);
      else
        yield error(
          "duplicate_address",
          `/hosts/${key}/addresses/${i}`,
          `${address} belongs to host ${owner}`,
        );
    }
  }
}

function* sourceFindings(
  path: string,
  { body, sources }: Entry,
  empty: (reference: Reference) => boolean,
): Generator<Diagnostic> {
  for (const [i, ingress] of body.ingress.entries()) {
    const meaning = sources[i];
    const at = `${path}/ingress/${i}/from`;
    if (meaning?.ok === false) yield error(meaning.code, at, meaning.message);
    if (meaning?.ok !== true) continue;
    const { reference } = meaning;
    if (reference.kind !== "any" && !isObjectName(setNameOf(reference)))
      yield error("name_too_long", at, tooLong(ingress.from));
    if (empty(reference))
      yield ingress.required === true
        ? error("empty_source", at, `${ingress.from} is required and has no address`)
        : warning("empty_source", at, `${ingress.from} has no address and matches nothing`);
  }
}

function* targetFindings(path: string, { body, targets, hosts }: Entry): Generator<Diagnostic> {
  for (const [i, { kind, name, hosts: found }] of targets.entries())
    if (found === undefined)
      yield error("unknown_target", `${path}/to/${i}`, `expected a declared ${kind}, found ${name}`);
  if (hosts.length === 0 && targets.every((target) => target.hosts !== undefined))
    yield warning(
      "no_target",
      body.to === undefined ? path : `${path}/to`,
      `no host is ${targets.map(({ kind, name }) => `${kind}:${name}`).join(" or ")}, so its grants are nowhere`,
    );
}

/** Whether a reference matches nothing; each set is made once, however many grants name it. */
function emptiness(directory: Directory): (reference: Reference) => boolean {
  const known = new Map<string, boolean>();
  return (reference) => {
    if (reference.kind === "any") return false;
    const name = setNameOf(reference);
    const empty = known.get(name) ?? setOf(directory, reference).elements.length === 0;
    known.set(name, empty);
    return empty;
  };
}
