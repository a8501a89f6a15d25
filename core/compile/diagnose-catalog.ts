/**
 * What is wrong with services: names in `from` and `to` that mean nothing or two things, sources and targets that are
 * empty, sources that never get there, names too long for the kernel. All findings, and no repair (law 1).
 */
import type { OverlayPolicy } from "#schema/intent.ts";
import { splitMemberKey } from "#schema/intent.ts";
import type { Diagnostic } from "#schema/refusals.ts";
import type { Entry } from "./catalog.ts";
import type { Directory, Reference } from "./directory.ts";
import { setNameOf, setOf } from "./directory.ts";
import { error, warning } from "./finding.ts";
import { fits, grantRow, isObjectName } from "./names.ts";

export function* diagnoseCatalog(
  directory: Directory,
  catalog: readonly Entry[],
): Generator<Diagnostic> {
  const empty = makeEmptyCheck(directory);
  const unreached = makeReachCheck(directory);
  for (const entry of catalog) {
    const path = `/services/${entry.key}`;
    if (!fits(grantRow(entry.key, "0".repeat(12))))
      yield error("name_too_long", path, tooLong(entry.key));
    yield* diagnoseSources(path, entry, empty, unreached);
    yield* diagnoseTargets(path, entry);
  }
}

const tooLong = (name: string): string =>
  `${name} as a kernel object's name is too long: each character but letters and digits counts two or three`;

function* diagnoseSources(
  path: string,
  { body, hosts, sources }: Entry,
  empty: (reference: Reference) => boolean,
  unreached: (reference: Reference, hosts: readonly string[]) => string | undefined,
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
    const cut = unreached(reference, hosts);
    if (cut !== undefined)
      yield ingress.required === true
        ? error("unreachable_source", at, `${ingress.from} is required, and ${cut}`)
        : warning("unreachable_source", at, cut);
  }
}

/**
 * Why members of a group do not come to some hosts; undefined when they do. A gateway drops what leaves its overlay, so
 * they come to the gateway, and to members that the overlay's policy may let them reach.
 */
function makeReachCheck({
  snapshot,
}: Directory): (reference: Reference, hosts: readonly string[]) => string | undefined {
  const groups = new Map<string, Set<string>>();
  for (const [key, { group, host }] of snapshot.members)
    if (host !== undefined) {
      const place = `${splitMemberKey(key).overlay}/${host}`;
      groups.set(place, (groups.get(place) ?? new Set()).add(group));
    }
  return (reference, hosts) => {
    if (reference.kind !== "group") return undefined;
    const { overlay, group } = reference;
    const body = snapshot.overlays.get(overlay);
    const cut = hosts.filter((host) => {
      if (body === undefined || body.host === host) return false;
      const own = groups.get(`${overlay}/${host}`);
      return own === undefined || !passes(body.policy, own, group);
    });
    return body === undefined || cut.length === 0
      ? undefined
      : `${body.host} drops what members of overlay ${overlay} send to ${formatHosts(cut)}`;
  };
}

function passes(policy: OverlayPolicy, own: ReadonlySet<string>, group: string): boolean {
  switch (policy) {
    case "same-subnet":
      return true;
    case "group-based":
      return own.has(group);
    case "full-isolation":
      return false;
  }
}

const hostsMax = 5;

const formatHosts = (hosts: readonly string[]): string =>
  hosts.slice(0, hostsMax).join(", ") +
  (hosts.length > hostsMax ? ` and ${hosts.length - hostsMax} more` : "");

function* diagnoseTargets(path: string, { body, targets, hosts }: Entry): Generator<Diagnostic> {
  for (const [i, { kind, name, hosts: found }] of targets.entries())
    if (found === undefined)
      yield error(
        "unknown_target",
        `${path}/to/${i}`,
        `expected a declared ${kind}, found ${name}`,
      );
  if (hosts.length === 0 && targets.every((target) => target.hosts !== undefined))
    yield warning(
      "no_target",
      body.to === undefined ? path : `${path}/to`,
      `no host is ${targets.map(({ kind, name }) => `${kind}:${name}`).join(" or ")}, so its grants are nowhere`,
    );
}

/** Whether a reference matches nothing; each set is made once, however many grants name it. */
function makeEmptyCheck(directory: Directory): (reference: Reference) => boolean {
  const known = new Map<string, boolean>();
  return (reference) => {
    if (reference.kind === "any") return false;
    const name = setNameOf(reference);
    const empty = known.get(name) ?? setOf(directory, reference).elements.length === 0;
    known.set(name, empty);
    return empty;
  };
}
