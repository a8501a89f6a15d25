/**
 * The catalog with its names settled: for each service, what each grant's source means and which hosts it is for.
 * Diagnostics, rules, references and the search for affected hosts all read this one value (law 5).
 */
import type { Ingress, Service } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import type { Directory, Meaning } from "./directory.ts";
import { meaningOf } from "./directory.ts";

/** A service; `sources` and `targets` are parallel to `body.ingress` and `body.to`. */
export interface Entry {
  readonly key: string;
  readonly body: Service;
  readonly sources: readonly Meaning[];
  readonly targets: readonly Target[];
  /** Hosts that its grants go to, by key. */
  readonly hosts: readonly string[];
}

/** What one `to` names; undefined hosts: nobody declared that role or host. */
export interface Target {
  readonly kind: "role" | "host";
  readonly name: string;
  readonly hosts: readonly string[] | undefined;
}

/** All services, by key. */
export function catalogOf(directory: Directory): readonly Entry[] {
  const meanings = new Map<string, Meaning>();
  const findMeaning = ({ from }: Ingress): Meaning => {
    const known = meanings.get(from) ?? meaningOf(directory, from);
    meanings.set(from, known);
    return known;
  };
  return [...directory.snapshot.services]
    .sort(([a], [b]) => compareText(a, b))
    .map(([key, body]) => {
      const targets = (body.to ?? [`role:${key}`]).map((to) => targetOf(directory, to));
      const hosts = new Set(targets.flatMap((target) => target.hosts ?? []));
      return {
        key,
        body,
        sources: body.ingress.map(findMeaning),
        targets,
        hosts: [...hosts].sort(compareText),
      };
    });
}

/** Expects what `TargetExpression` admits: `role:name` or `host:name`. */
function targetOf({ snapshot, roles }: Directory, to: string): Target {
  const name = to.slice("role:".length);
  if (to.startsWith("role:")) return { kind: "role", name, hosts: roles.get(name) };
  return { kind: "host", name, hosts: snapshot.hosts.has(name) ? [name] : undefined };
}
