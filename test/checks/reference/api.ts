/**
 * The page of the HTTP API: every route, who may call it, what it takes and gives, and the fields of every shape. Made of
 * the OpenAPI document, which is made of the table of routes.
 */
import * as z from "zod";
import { openApiDocument } from "#worker/http/openapi/document.ts";
import { type JsonSchema, Shape, typeText } from "./shapes.ts";
import { code, made, page, table } from "./markdown.ts";

const Media = z.record(z.string(), z.object({ schema: Shape.optional() }));
const Operation = z.object({
  summary: z.string(),
  tags: z.tuple([z.string()]),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  parameters: z
    .array(z.object({ name: z.string(), in: z.enum(["path", "query", "header"]), schema: Shape }))
    .default([]),
  requestBody: z.object({ content: Media }).optional(),
  responses: z.record(
    z.string(),
    z.union([
      z.object({ content: Media.optional(), description: z.string() }),
      z.object({ $ref: z.string() }),
    ]),
  ),
});
type Operation = z.infer<typeof Operation>;

const Document = z.object({
  tags: z.array(z.object({ name: z.string(), description: z.string() })),
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.object({ schemas: z.record(z.string(), Shape) }),
});

/** What may go wrong with any request, and so says nothing about a route. */
const everywhere = new Set([
  "body_too_large",
  "unsupported_media_type",
  "bad_request",
  "internal",
  "busy",
  "storage_full",
  "unauthenticated",
  "forbidden",
]);

export function apiPage(): string {
  const { tags, paths, components } = Document.parse(openApiDocument());
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      route: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );
  return page(
    made("`schema/api/routes`"),
    "# HTTP API",
    "A request carries `Authorization: Bearer TOKEN`. Every route may refuse with `bad_request`, `internal`, `busy` or " +
      "`storage_full`, with `unauthenticated` or `forbidden` where it needs a token, and with `body_too_large` or " +
      "`unsupported_media_type` where it takes a body. [Codes](codes.md) have causes and " +
      "remedies. Lists come in pages: `limit`, and `cursor` with the `next_cursor` of the page before. `openapi.json`, and " +
      "`GET /openapi.json`, say the same for programs, with patterns, bounds and examples.",
    ...tags.flatMap(({ name, description }) => [
      `## ${name.charAt(0).toUpperCase()}${name.slice(1)}`,
      `${description}.`,
      table(
        ["route", "does", "needs", "takes", "answers", "refuses"],
        operations
          .filter(({ operation }) => operation.tags[0] === name)
          .map(({ route, operation }) => [
            code(route),
            operation.summary,
            neededBy(operation),
            takenBy(operation),
            answeredBy(operation),
            refusedBy(operation),
          ]),
      ),
    ]),
    "## Shapes",
    "A field with `?` may be left out.",
    ...Object.entries(components.schemas).flatMap(([name, shape]) => [
      `### ${name}`,
      fieldsOf(shape),
    ]),
  );
}

const neededBy = ({ security }: Operation): string =>
  security.length === 0
    ? "nothing"
    : security
        .flatMap((one) => Object.entries(one))
        .map(([who, scopes]) =>
          who === "host" ? "a host's credential" : scopes.map(code).join(", "),
        )
        .join(" or ");

const takenBy = ({ parameters, requestBody }: Operation): string =>
  [
    ...parameters
      .filter((parameter) => parameter.in !== "path")
      .map(({ name, in: where }) => code(where === "query" ? `?${name}` : name)),
    ...(requestBody === undefined ? [] : [mediaText(requestBody.content)]),
  ].join(", ");

const answeredBy = ({ responses }: Operation): string =>
  Object.entries(responses)
    .flatMap(([status, answer]) =>
      "$ref" in answer
        ? []
        : [`${status} ${answer.content === undefined ? "" : mediaText(answer.content)}`.trim()],
    )
    .join(", ");

const refusedBy = ({ responses }: Operation): string =>
  Object.values(responses)
    .flatMap((answer) =>
      "$ref" in answer ? (answer.$ref.split("/").at(-1) ?? "").split("_or_") : [],
    )
    .filter((name) => !everywhere.has(name))
    .map(code)
    .join(", ");

/** JSON is named by its shape, everything else by its media type. */
const mediaText = (media: z.infer<typeof Media>): string =>
  Object.entries(media)
    .map(([type, { schema }]) =>
      type.startsWith("application/json") && schema !== undefined ? typeText(schema) : code(type),
    )
    .filter((text, i, all) => all.indexOf(text) === i)
    .join(" or ");

function fieldsOf(shape: JsonSchema): string {
  const { properties, required = [] } = shape;
  if (properties === undefined) return typeText(shape);
  return table(
    ["field", "type"],
    Object.entries(properties).map(([name, field]) => [
      code(required.includes(name) ? name : `${name}?`),
      typeText(field),
    ]),
  );
}
