/**
 * From documents to rows of intent. With `portcullis: 1` a document has sections; without it, it is a plain service
 * catalog (DESIGN §5). Rows are checked by the schema that the API uses, so a file hears what the API would say.
 */
import type * as z from "zod";
import { Change, type Kind, memberKey } from "#schema/intent.ts";
import { type Finding, type Path, type Place, placeText, pointer } from "./places.ts";
import type { CatalogDocument } from "./yaml.ts";

export type Put = Extract<Change, { op: "put" }>;

/** A row that a file declares. */
export interface CatalogRow {
  readonly put: Put;
  /** What findings call it, such as `/overlays/office/members/alice`. */
  readonly path: Path;
  readonly place: Place;
  /** The place of a part of its body, or of what is nearest to one that is not there. */
  at(path: Path): Place;
}

export interface ReadRows {
  readonly rows: readonly CatalogRow[];
  readonly findings: readonly Finding[];
}

interface Entry {
  readonly kind: Kind;
  readonly key: string;
  readonly body: unknown;
  /** In the document. */
  readonly within: Path;
  readonly path: Path;
}

type Fields = Readonly<Record<string, unknown>>;
const sections = {
  zones: "zone",
  hosts: "host",
  services: "service",
  overlays: "overlay",
} as const;
const isSection = (name: string): name is keyof typeof sections => Object.hasOwn(sections, name);

/** All rows and all findings of all documents, in order. */
export function readRows(documents: readonly CatalogDocument[]): ReadRows {
  const rows: CatalogRow[] = [];
  const findings: Finding[] = [];
  const seen = new Map<string, CatalogRow>();
  for (const document of documents)
    for (const found of readDocumentRows(document)) {
      if (!("put" in found)) {
        findings.push(found);
        continue;
      }
      const id = `${found.put.kind} ${found.put.key}`;
      const first = seen.get(id);
      if (first === undefined) {
        seen.set(id, found);
        rows.push(found);
      } else
        findings.push({
          ...found.place,
          path: pointer(found.path),
          message: `expected ${id} once; it stands at ${placeText(first.place)} already`,
        });
    }
  return { rows, findings };
}

function* readDocumentRows(document: CatalogDocument): Generator<CatalogRow | Finding> {
  const { value, problems } = document;
  const prefix = isFields(value) && Object.hasOwn(value, "portcullis") ? [] : ["services"];
  for (const { path, ...found } of problems)
    yield { ...found, path: path.length === 0 ? "" : pointer([...prefix, ...path]) };
  if (problems.length > 0) return;
  if (!isFields(value)) {
    yield { ...document.valueAt([]), path: "", message: "expected a mapping of names" };
    return;
  }
  for (const entry of prefix.length === 0
    ? readSections(document, value)
    : readPlain(document, value))
    if ("message" in entry) yield entry;
    else yield* check(document, entry);
}

function* readSections(document: CatalogDocument, value: Fields): Generator<Entry | Finding> {
  for (const [name, section] of Object.entries(value)) {
    const makeFinding = (place: Place, message: string): Finding => ({
      ...place,
      path: pointer([name]),
      message,
    });
    if (name === "portcullis") {
      if (section !== 1)
        yield makeFinding(document.valueAt([name]), "expected 1, the version of this format");
    } else if (!isSection(name)) yield makeFinding(document.keyAt([name]), "unknown field");
    else if (!isFields(section))
      yield makeFinding(document.valueAt([name]), "expected a mapping of names");
    else
      for (const [key, body] of Object.entries(section)) {
        const entry = { kind: sections[name], key, body, within: [name, key], path: [name, key] };
        if (name === "overlays") yield* readOverlay(document, entry);
        else yield entry;
      }
  }
}

/** An overlay's members stand in its body; in intent they are rows of their own. */
function* readOverlay(document: CatalogDocument, entry: Entry): Generator<Entry | Finding> {
  if (!isFields(entry.body) || !Object.hasOwn(entry.body, "members")) {
    yield entry;
    return;
  }
  const { members, ...body } = entry.body;
  yield { ...entry, body };
  const path = [...entry.path, "members"];
  if (isFields(members))
    for (const [cn, member] of Object.entries(members)) {
      const own = [...path, cn];
      yield { kind: "member", key: memberKey(entry.key, cn), body: member, within: own, path: own };
    }
  else
    yield {
      ...document.valueAt(path),
      path: pointer(path),
      message: "expected a mapping of names",
    };
}

function* readPlain(document: CatalogDocument, value: Fields): Generator<Entry | Finding> {
  for (const [key, body] of Object.entries(value)) {
    if (isSection(key) && !(isFields(body) && Object.hasOwn(body, "ingress")))
      yield {
        ...document.keyAt([key]),
        path: pointer([key]),
        message: "expected portcullis: 1 in a document with sections",
      };
    else yield { kind: "service", key, body, within: [key], path: ["services", key] };
  }
}

function* check(document: CatalogDocument, entry: Entry): Generator<CatalogRow | Finding> {
  const { kind, key, body, within, path } = entry;
  const parsed = Change.safeParse({ op: "put", kind, key, body });
  const put = parsed.data;
  if (put?.op === "put")
    yield {
      put,
      path,
      place: document.keyAt(within),
      at: (part) => document.valueAt([...within, ...part]),
    };
  else for (const issue of parsed.error?.issues ?? []) yield* findingsOf(document, entry, issue);
}

function* findingsOf(
  document: CatalogDocument,
  entry: Entry,
  issue: z.core.$ZodIssue,
): Generator<Finding> {
  const [part, ...rest] = issue.path;
  const within = [...entry.within, ...rest];
  const path = [...entry.path, ...rest];
  if (part === "key")
    yield { ...document.keyAt(entry.within), path: pointer(entry.path), message: issue.message };
  else if (issue.code === "unrecognized_keys")
    for (const name of issue.keys)
      yield {
        ...document.keyAt([...within, name]),
        path: pointer([...path, name]),
        message: "unknown field",
      };
  else yield { ...document.valueAt(within), path: pointer(path), message: issue.message };
}

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
