/** The OpenAPI document (3.1), made from the table of routes. Pure: the same table gives the same document. */
import type * as z from "zod";
import { type Access, access, type RouteName } from "#schema/api/access.ts";
import { Problem } from "#schema/api/common.ts";
import { answerHeaders, type RequestHeader, requestHeaders } from "#schema/api/headers.ts";
import { type Answer, type Route, tags } from "#schema/api/route.ts";
import { routeOf, routes } from "#schema/api/routes/index.ts";
import { type ProblemCode, problemEntry } from "#schema/problems.ts";
import { headers as wireHeaders } from "#schema/wire.ts";
import { problemsOf } from "./problems.ts";
import { type JsonSchema, openSchemas, type Schemas } from "./schemas.ts";

type Json = Readonly<Record<string, unknown>>;

export function openApiDocument(): Json {
  const names = Object.keys(routes) as RouteName[];
  const all = names.map(routeOf);
  const schemas = openSchemas({
    requests: all.flatMap((route) => [...requestsOf(route)]),
    answers: all.flatMap((route) => [...answersOf(route)]),
  });
  const refusals = new Map<string, Json>();
  const paths: Record<string, Record<string, Json>> = {};
  for (const name of names) {
    const [method = "", path = ""] = name.split(" ");
    const template = path.replace(/:(\w+)/g, "{$1}");
    (paths[template] ??= {})[method.toLowerCase()] = describeOperation(name, schemas, refusals);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Portcullis",
      version: "1",
      description: "A firewall control plane: intent as rows, rules as a projection.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/", description: "The control plane that serves this document" }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: schemas.used,
      responses: Object.fromEntries([...refusals].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        operator: { type: "http", scheme: "bearer", description: "An operator's token" },
        host: { type: "http", scheme: "bearer", description: "A host's own credential" },
      },
    },
  };
}

function* requestsOf({ params, query, body, headers }: Route): Generator<z.ZodType> {
  for (const shape of [params?.shape, query?.shape])
    for (const schema of Object.values(shape ?? {})) yield schema as z.ZodType;
  for (const name of headers ?? []) yield requestHeaders[name].schema;
  if (body !== undefined) yield body;
}

function* answersOf({ answers, answerHeaders: headers }: Route): Generator<z.ZodType> {
  for (const name of headers ?? []) yield answerHeaders[name].schema;
  for (const answer of Object.values(answers)) {
    if (answer === null) continue;
    if (!("content" in answer)) yield answer;
    else for (const schema of Object.values(answer.content)) if (schema !== null) yield schema;
  }
  yield Problem;
}

function describeOperation(name: RouteName, schemas: Schemas, refusals: Map<string, Json>): Json {
  const route = routeOf(name);
  const parameters = [
    ...parametersOf("path", route.params, schemas),
    ...parametersOf("query", route.query, schemas),
    ...(route.headers ?? []).map((header) => describeHeader(header, schemas)),
  ];
  return {
    operationId: route.id,
    summary: route.summary,
    tags: [route.tag],
    ...securityOf(access[name]),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : { requestBody: requestBody(route.body, route.form, schemas) }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.answers).map(([status, answer]) => [
          status,
          {
            description: descriptions[status] ?? "Done",
            ...describeAnswer(route, answer, schemas),
          },
        ]),
      ),
      ...Object.fromEntries(
        [...problemsOf(name)].map(([status, codes]) => [
          status,
          refusalOf(codes, schemas, refusals),
        ]),
      ),
    },
  };
}

const descriptions: Readonly<Record<string, string>> = {
  200: "Done",
  201: "Made",
  204: "Done; there is nothing to say",
  304: "Nothing new",
};

function securityOf(entry: Access) {
  switch (entry.by) {
    case "anyone":
      return { security: [] };
    case "token":
      return { security: [{ operator: entry.scope === null ? [] : [entry.scope] }] };
    case "host":
      return { security: [{ host: [] }] };
    case "token-or-host":
      return { security: [{ operator: [entry.scope] }, { host: [] }] };
  }
}

function parametersOf(
  where: "path" | "query",
  object: z.ZodObject | undefined,
  schemas: Schemas,
): readonly Json[] {
  return Object.entries(object?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: where,
    required: where === "path",
    schema: schemas.request(schema as z.ZodType),
  }));
}

function describeHeader(name: RequestHeader, schemas: Schemas): Json {
  const { description, schema, example } = requestHeaders[name];
  return {
    name,
    in: "header",
    required: false,
    description,
    schema: schemas.request(schema),
    example,
  };
}

function requestBody(body: z.ZodType, form: true | undefined, schemas: Schemas): Json {
  const content = { schema: schemas.request(body) };
  return {
    required: true,
    content: {
      "application/json": content,
      ...(form === undefined ? {} : { "application/x-www-form-urlencoded": content }),
    },
  };
}

function describeAnswer(route: Route, answer: Answer, schemas: Schemas): Json {
  const headers = {
    ...Object.fromEntries(
      (route.answerHeaders ?? []).map((name) => {
        const { description, schema, example } = answerHeaders[name];
        return [name, { description, schema: schemas.answer(schema), example }];
      }),
    ),
    ...requestIdHeader,
  };
  if (answer === null) return { headers };
  const content = "content" in answer ? answer.content : { "application/json": answer };
  return {
    headers,
    content: Object.fromEntries(
      Object.entries(content).map(([media, schema]) => [
        media,
        { schema: schema === null ? anything(media) : schemas.answer(schema) },
      ]),
    ),
  };
}

const requestIdHeader = {
  [wireHeaders.requestId]: {
    description: "Names the request in logs.",
    schema: { type: "string" },
  },
};

const anything = (media: string): JsonSchema =>
  media === "application/json" ? {} : { type: "string" };

/** A reference to the answer that refuses with one of these codes; they have one status. */
function refusalOf(
  codes: readonly ProblemCode[],
  schemas: Schemas,
  refusals: Map<string, Json>,
): Json {
  const name = codes.join("_or_");
  if (!refusals.has(name)) refusals.set(name, refusalResponse(codes, schemas));
  return { $ref: `#/components/responses/${name}` };
}

const refusalResponse = (codes: readonly ProblemCode[], schemas: Schemas): Json => ({
  description: codes.map((code) => problemEntry(code).title).join("; "),
  headers: requestIdHeader,
  content: {
    "application/problem+json": {
      schema: schemas.answer(Problem),
      examples: Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }])),
    },
  },
});

function exampleOf(code: ProblemCode): z.infer<typeof Problem> {
  const { title, status, remedy } = problemEntry(code);
  return {
    type: `urn:portcullis:problem:${code}`,
    title,
    status,
    code,
    detail: remedy,
    request_id: "0b6d5e3a-6f2f-4c57-9f0c-2a2f5b7c9d10",
  };
}
