/** JSON Schemas in a few words. Pure. */
import * as z from "zod";
import { code } from "./markdown.ts";

/** What is read of a JSON Schema; the rest is in `openapi.json`. */
export interface JsonSchema {
  readonly $ref?: string | undefined;
  readonly type?: string | undefined;
  readonly format?: string | undefined;
  readonly const?: unknown;
  readonly enum?: readonly unknown[] | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly items?: JsonSchema | undefined;
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly additionalProperties?: JsonSchema | boolean | undefined;
  readonly anyOf?: readonly JsonSchema[] | undefined;
  readonly oneOf?: readonly JsonSchema[] | undefined;
}

const list = z.lazy(() => z.array(Shape));
export const Shape: z.ZodType<JsonSchema> = z.lazy(() =>
  z.object({
    $ref: z.string().optional(),
    type: z.string().optional(),
    format: z.string().optional(),
    const: z.unknown().optional(),
    enum: z.array(z.unknown()).optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    items: Shape.optional(),
    properties: z.record(z.string(), Shape).optional(),
    required: z.array(z.string()).optional(),
    additionalProperties: z.union([Shape, z.boolean()]).optional(),
    anyOf: list.optional(),
    oneOf: list.optional(),
  }),
);

/** A type in one line: `a list of Rule`, `text or null`, `"tcp" or "udp"`. */
export function typeText(schema: JsonSchema): string {
  const several = schema.anyOf ?? schema.oneOf;
  if (schema.$ref !== undefined) return linked(schema.$ref.split("/").at(-1) ?? "");
  if (several !== undefined) return eachOnce(several.map(typeText)).join(" or ");
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined)
    return schema.enum.map((value) => code(JSON.stringify(value))).join(" or ");
  if (schema.type === undefined) return "any value";
  return namedType(schema.type, schema);
}

function namedType(type: string, schema: JsonSchema): string {
  switch (type) {
    case "string":
      return schema.format === "date-time" ? "UTC time" : "text";
    case "integer":
    case "number":
      return numberText(schema);
    case "boolean":
      return "true or false";
    case "array":
      return `a list of ${schema.items === undefined ? "anything" : typeText(schema.items)}`;
    case "object":
      return objectText(schema);
    default:
      return type;
  }
}

function numberText({ minimum, maximum }: JsonSchema): string {
  const bounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  if (bounded) return `number from ${minimum ?? 0} to ${maximum}`;
  return minimum === undefined || minimum < 0 ? "number" : `number from ${minimum}`;
}

function objectText({ properties, required = [], additionalProperties }: JsonSchema): string {
  if (properties === undefined)
    return typeof additionalProperties === "object"
      ? `a table of ${typeText(additionalProperties)}`
      : "an object";
  const page = properties["next_cursor"] === undefined ? undefined : properties["items"]?.items;
  if (page !== undefined) return `a page of ${typeText(page)}`;
  const fields = Object.entries(properties).map(
    ([name, field]) => `${code(required.includes(name) ? name : `${name}?`)}: ${typeText(field)}`,
  );
  return `{ ${fields.join("; ")} }`;
}

const linked = (name: string): string => `[${name}](#${name.toLowerCase()})`;
const eachOnce = (texts: readonly string[]): readonly string[] => [...new Set(texts)];
