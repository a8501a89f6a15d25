/** Names that only a careful reader tells apart: two of one kind that differ by case alone. Warnings, and no repair. */
import { type Snapshot, splitMemberKey } from "#schema/intent.ts";
import { compareText } from "#schema/order.ts";
import type { Diagnostic } from "#schema/refusals.ts";
import type { Directory } from "./directory.ts";
import { warning } from "./finding.ts";

/** A name and where it is declared; names of one space may be taken for one another. */
interface Declared {
  readonly space: string;
  readonly name: string;
  readonly path: string;
}

/** Of two, the later one by name is reported. */
export function* diagnoseNames({ snapshot, roles }: Directory): Generator<Diagnostic> {
  const declared = [...listDeclaredNames(snapshot), ...listDeclaredRoles(snapshot, roles)];
  const alike = Map.groupBy(declared, ({ space, name }) => `${space} ${name.toLowerCase()}`);
  for (const names of alike.values()) {
    const [first, ...others] = names.toSorted((a, b) => compareText(a.name, b.name));
    for (const { space, name, path } of others)
      // Two services are told as such already.
      if (
        first !== undefined &&
        name !== first.name &&
        !(space === "role" && isService(first.path, path))
      )
        yield warning(
          "similar_names",
          path,
          `${space} ${name} differs from ${first.name} by case alone`,
        );
  }
}

const isService = (...paths: readonly string[]): boolean =>
  paths.every((path) => path.startsWith("/services/"));

function* listDeclaredNames({
  hosts,
  members,
  overlays,
  services,
  zones,
}: Snapshot): Generator<Declared> {
  const kinds = { hosts, overlays, services, zones };
  const words = { hosts: "host", overlays: "overlay", services: "service", zones: "zone" } as const;
  for (const [collection, rows] of Object.entries(kinds))
    for (const name of rows.keys())
      yield {
        space: words[collection as keyof typeof kinds],
        name,
        path: `/${collection}/${name}`,
      };
  for (const [key, { groups }] of overlays)
    for (const [i, name] of groups.entries())
      yield { space: `group of overlay ${key},`, name, path: `/overlays/${key}/groups/${i}` };
  for (const key of members.keys()) {
    const { overlay, cn } = splitMemberKey(key);
    yield { space: `member of overlay ${overlay},`, name: cn, path: `/members/${key}` };
  }
}

/** A role is declared by the first host that lists it, or by the service of its name. */
function* listDeclaredRoles(
  { hosts, services }: Snapshot,
  roles: Directory["roles"],
): Generator<Declared> {
  for (const [name, [host]] of roles) {
    const index = host === undefined ? -1 : (hosts.get(host)?.roles.indexOf(name) ?? -1);
    const path = index < 0 ? `/services/${name}` : `/hosts/${host}/roles/${index}`;
    if (index >= 0 || services.has(name)) yield { space: "role", name, path };
  }
}
