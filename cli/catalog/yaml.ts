/**
 * One file's text to its documents: YAML 1.2 core schema, of which JSON is a part, strictly. A document that is not
 * well formed has problems and no value.
 */
import { type Document, LineCounter, parseAllDocuments } from "yaml";
import { convert, depthMax, type Problem } from "./convert.ts";
import { findNearest, type Path, type Place, placeText, type Spot } from "./places.ts";

export interface CatalogFile {
  readonly name: string;
  readonly text: string;
}

export interface CatalogDocument {
  readonly value: unknown;
  /** What is wrong with it as YAML; then its value is not to be used. */
  readonly problems: readonly PlacedProblem[];
  /** The place of a value, or of what is nearest to one that is not there. */
  valueAt(path: Path): Place;
  /** The place of the key that a value has in its parent. */
  keyAt(path: Path): Place;
}

export interface PlacedProblem extends Place {
  /** In the document. */
  readonly path: Path;
  readonly message: string;
}

/** Empty documents, such as a file of comments, are left out. */
export function readYaml({ name, text }: CatalogFile): readonly CatalogDocument[] {
  const lines = new LineCounter();
  const findPlace = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file: name, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const parsed = parseAllDocuments(text, {
    version: "1.2",
    schema: "core",
    merge: false,
    strict: true,
    stringKeys: true,
    // Checked while converting: the library compares every key with every other.
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: "silent",
    lineCounter: lines,
  });
  return (Array.isArray(parsed) ? parsed : []).flatMap((document) => {
    const malformed = problemsOf(document);
    const { value, spot, problems } = convert(malformed.length === 0 ? document.contents : null);
    const placed = [...malformed, ...problems].map(({ offset, path, message, earlier }) => ({
      ...findPlace(offset),
      path,
      message:
        earlier === undefined
          ? message
          : `${message}; it stands at ${placeText(findPlace(earlier))} already`,
    }));
    return value === null && placed.length === 0
      ? []
      : [documentOf(value, placed, spot, findPlace)];
  });
}

/** What the library says is malformed; its warnings are refusals here. */
function problemsOf({
  errors,
  warnings,
  directives,
  contents,
}: Document.Parsed): readonly Problem[] {
  const deep = errors.find(({ code }) => code === "RESOURCE_EXHAUSTION");
  if (deep !== undefined)
    return [{ offset: deep.pos[0], path: [], message: `expected at most ${depthMax} levels` }];
  const { explicit, version } = directives.yaml;
  return [
    ...[...errors, ...warnings].map(({ pos, message }) => ({
      offset: pos[0],
      path: [],
      message: message.slice(0, messageMax).replace(/\.$/, ""),
    })),
    ...(explicit === true && version !== "1.2"
      ? [{ offset: contents?.range[0] ?? 0, path: [], message: "expected YAML 1.2" }]
      : []),
  ];
}

const messageMax = 200;

const documentOf = (
  value: unknown,
  problems: readonly PlacedProblem[],
  spot: Spot,
  place: (offset: number) => Place,
): CatalogDocument => ({
  value,
  problems,
  valueAt: (path) => place(findNearest(spot, path).value),
  keyAt: (path) => place(findNearest(spot, path).key),
});
