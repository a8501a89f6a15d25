/**
 * JSON Schemas (draft 2020-12, as OpenAPI 3.1 has them) of what requests and answers hold. What has a name in
 * `components` is referred to by it. A schema reads otherwise in a request, where defaults may be left out, than in an
 * answer; where that makes a difference, the request's form is named apart.
 */
import * as z from "zod";
import { formatCanonical } from "#schema/canonical.ts";
import { type ComponentName, components } from "#schema/api/components.ts";
import { examples } from "#schema/api/examples.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface Schemas {
  /** Of what is sent. */
  readonly request: (schema: z.ZodType) => JsonSchema;
  /** Of what is answered. */
  readonly answer: (schema: z.ZodType) => JsonSchema;
  /** Those with a name, and what they refer to. */
  readonly used: Readonly<Record<string, JsonSchema>>;
}

const prefix = "#/components/schemas/";
const suffix = "Input";
/** Begins the names of what has none of its own; it stands where it is used. */
const unnamed = "unnamed ";

/** What the document holds of each kind; schemas are known by identity. */
export interface Spoken {
  readonly requests: readonly z.ZodType[];
  readonly answers: readonly z.ZodType[];
}

export function openSchemas({ requests, answers }: Spoken): Schemas {
  const request = generate(requests, "input");
  const answer = generate(answers, "output");
  const answered = findReached(answers.map(answer.of), answer.named);
  const differ = findDiffering(request.named, answer.named);
  const nameIn = (name: string): string =>
    differ.has(name) && answered.has(name) ? `${name}${suffix}` : name;
  const inRequest = (schema: JsonSchema): JsonSchema => renameReferences(schema, nameIn);
  const asked = findReached(requests.map(request.of), request.named);
  const used = new Map<string, JsonSchema>();
  for (const name of Object.keys(components)) {
    if (answered.has(name)) used.set(name, answer.named[name] ?? {});
    if (asked.has(name)) used.set(nameIn(name), inRequest(request.named[name] ?? {}));
  }
  return {
    request: (schema) => inRequest(request.of(schema)),
    answer: answer.of,
    used: Object.fromEntries(used),
  };
}

interface Generated {
  readonly named: Readonly<Record<string, JsonSchema>>;
  readonly of: (schema: z.ZodType) => JsonSchema;
}

function generate(inline: readonly z.ZodType[], io: "input" | "output"): Generated {
  const registry = z.registry<{ id?: string | undefined }>();
  for (const [id, schema] of Object.entries(components)) registry.add(schema, { id });
  for (const [n, schema] of inline.entries())
    if (!registry.has(schema)) registry.add(schema, { id: `${unnamed}${n}` });
  const { schemas } = z.toJSONSchema(registry, {
    io,
    uri: (id) => `${prefix}${id}`,
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      // A reader of answers passes over what it does not know; only strict objects say otherwise.
      if (zodSchema._zod.def.type === "object" && zodSchema._zod.def.catchall === undefined)
        delete jsonSchema.additionalProperties;
    },
  });
  const all = schemas as Readonly<Record<string, JsonSchema>>;
  const inlineSchema = (id: string): JsonSchema =>
    mapReferences(stripSchema(all[id] ?? {}), (name) =>
      name.startsWith(unnamed) ? inlineSchema(name) : { $ref: `${prefix}${name}` },
    );
  return {
    named: Object.fromEntries(
      Object.keys(components).map((name) => [name, addExample(name, inlineSchema(name))]),
    ),
    of: (schema) => {
      const id = registry.get(schema)?.id ?? "";
      return id.startsWith(unnamed) ? inlineSchema(id) : { $ref: `${prefix}${id}` };
    },
  };
}

/** zod names each schema of a registry by itself; in a document its place does. */
const stripSchema = (schema: JsonSchema): JsonSchema =>
  Object.fromEntries(Object.entries(schema).filter(([key]) => key !== "$schema" && key !== "$id"));

function addExample(name: string, schema: JsonSchema): JsonSchema {
  const example = examples[name as ComponentName];
  return example === undefined ? schema : { ...schema, examples: [example] };
}

/** Names whose two forms differ, by themselves or by what they refer to. */
function findDiffering(a: Generated["named"], b: Generated["named"]): ReadonlySet<string> {
  const found = new Set(
    Object.keys(a).filter((name) => formatCanonical(a[name]) !== formatCanonical(b[name])),
  );
  for (let before = -1; before < found.size;) {
    before = found.size;
    for (const [name, schema] of Object.entries(a))
      if ([...listReferred(schema)].some((other) => found.has(other))) found.add(name);
  }
  return found;
}

function* listReferred(value: unknown): Generator<string> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, item] of Object.entries(value))
    if (key === "$ref" && typeof item === "string") yield item.slice(prefix.length);
    else yield* listReferred(item);
}

/** Names that these schemas refer to, one way or another. */
function findReached(
  schemas: readonly JsonSchema[],
  named: Readonly<Record<string, JsonSchema>>,
): ReadonlySet<string> {
  const found = new Set<string>();
  const follow = (schema: JsonSchema): void => {
    for (const name of listReferred(schema)) {
      if (found.has(name)) continue;
      found.add(name);
      follow(named[name] ?? {});
    }
  };
  for (const schema of schemas) follow(schema);
  return found;
}

const renameReferences = (schema: JsonSchema, nameOf: (name: string) => string): JsonSchema =>
  mapReferences(schema, (name) => ({ $ref: `${prefix}${nameOf(name)}` }));

/** The same schema with something else in place of each reference; keywords beside a reference stay. */
function mapReferences(schema: JsonSchema, of: (name: string) => JsonSchema): JsonSchema {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== "object" || value === null) return value;
    const { $ref, ...rest } = value as Readonly<Record<string, unknown>>;
    const others = Object.fromEntries(Object.entries(rest).map(([key, item]) => [key, walk(item)]));
    return typeof $ref === "string" ? { ...of($ref.slice(prefix.length)), ...others } : others;
  };
  return walk(schema) as JsonSchema;
}
