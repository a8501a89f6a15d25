/**
 * Who names whom: for each row, the rows that would lose their meaning without it. The writer asks it before it
 * deletes one. A role is held up by the hosts that list it and the service of its name; only the last of them is
 * needed.
 */
import type { Kind, Snapshot } from "#schema/intent.ts";
import { splitMemberKey } from "#schema/intent.ts";
import type { Entry } from "./catalog.ts";
import { catalogOf } from "./catalog.ts";
import type { Directory } from "./directory.ts";
import { directoryOf } from "./directory.ts";

/** A row that names another, and where: a JSON pointer into intent. */
export interface Referencer {
  readonly kind: Kind;
  readonly key: string;
  readonly path: string;
}

/** Referencers of each referenced row, by `kind key`; in the order of kinds and rows. */
export function findReferences(snapshot: Snapshot): ReadonlyMap<string, readonly Referencer[]> {
  const directory = directoryOf(snapshot);
  const named = [
    ...listOverlayReferences(snapshot),
    ...listMemberReferences(snapshot),
    ...catalogOf(directory).flatMap((entry) => [...listServiceReferences(directory, entry)]),
  ];
  const byRow = Map.groupBy(named, ({ of }) => of);
  return new Map([...byRow].map(([of, found]) => [of, found.map(({ by }) => by)]));
}

interface Named {
  /** `kind key` of the row that is named. */
  readonly of: string;
  readonly by: Referencer;
}

const makeNamed = (kind: Kind, key: string, by: Referencer): Named => ({
  of: `${kind} ${key}`,
  by,
});

const listOverlayReferences = ({ overlays }: Snapshot): readonly Named[] =>
  [...overlays].map(([key, { host }]) =>
    makeNamed("host", host, { kind: "overlay", key, path: `/overlays/${key}/host` }),
  );

const listMemberReferences = ({ members }: Snapshot): readonly Named[] =>
  [...members].flatMap(([key, { host }]) => [
    makeNamed("overlay", splitMemberKey(key).overlay, {
      kind: "member",
      key,
      path: `/members/${key}`,
    }),
    ...(host === undefined
      ? []
      : [makeNamed("host", host, { kind: "member", key, path: `/members/${key}/host` })]),
  ]);

function* listServiceReferences(
  directory: Directory,
  { key, sources, targets }: Entry,
): Generator<Named> {
  const by = (path: string): Referencer => ({
    kind: "service",
    key,
    path: `/services/${key}/${path}`,
  });
  for (const [i, source] of sources.entries())
    if (source.ok) yield* listNamed(directory, source.reference, by(`ingress/${i}/from`), key);
  for (const [i, target] of targets.entries())
    yield* listNamed(directory, target, by(`to/${i}`), key);
}

type Reached =
  | { readonly kind: "any" | "network" }
  | { readonly kind: "zone" | "role" | "host"; readonly name: string }
  | { readonly kind: "group"; readonly overlay: string };

function* listNamed(
  directory: Directory,
  reached: Reached,
  by: Referencer,
  service: string,
): Generator<Named> {
  switch (reached.kind) {
    case "any":
    case "network":
      return;
    case "zone":
    case "host":
      yield makeNamed(reached.kind, reached.name, by);
      return;
    case "group":
      yield makeNamed("overlay", reached.overlay, by);
      return;
    case "role":
      // A service needs nobody else for the role of its own name.
      if (reached.name !== service) yield* findRoleHolder(directory, reached.name, by);
  }
}

function* findRoleHolder(
  { roles, snapshot }: Directory,
  role: string,
  by: Referencer,
): Generator<Named> {
  const hosts = roles.get(role) ?? [];
  const service = snapshot.services.has(role);
  const [host] = hosts;
  if (service && hosts.length === 0) yield makeNamed("service", role, by);
  if (!service && host !== undefined && hosts.length === 1) yield makeNamed("host", host, by);
}
