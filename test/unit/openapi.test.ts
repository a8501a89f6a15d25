/** The OpenAPI document: what a generated client can do with it. */
import { describe, expect, test } from "vitest";
import { access, type RouteName } from "#schema/api/access.ts";
import { components } from "#schema/api/components.ts";
import { examples } from "#schema/api/examples.ts";
import { routeOf } from "#schema/api/routes/index.ts";
import { documentText, lintFindings } from "#test/checks/openapi.ts";

interface Parameter {
  readonly name: string;
  readonly in: string;
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security: readonly unknown[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, { readonly $ref?: string }>>;
}
interface Document {
  readonly openapi: string;
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, { readonly examples?: readonly unknown[] }>>;
    readonly responses: Readonly<
      Record<string, { readonly content: Readonly<Record<string, unknown>> }>
    >;
  };
}

const document = JSON.parse(documentText()) as Document;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    name: `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`,
    operation,
  })),
);
const operationOf = (name: RouteName): Operation => {
  const found = operations.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found.operation;
};
const parametersOf = (name: RouteName, where: string): readonly string[] =>
  (operationOf(name).parameters ?? []).filter((one) => one.in === where).map((one) => one.name);

describe("the OpenAPI document", () => {
  test("has each route of the table, by its own name, with its tag and who may call it", () => {
    expect(operations.map(({ name }) => name).sort()).toEqual(Object.keys(access).sort());
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const tags = new Set(document.tags.map(({ name }) => name));
    for (const { operation } of operations) {
      expect(operation.summary).toBeTruthy();
      expect(operation.security).toBeDefined();
      expect(tags).toContain(operation.tags[0]);
    }
  });

  test("lets a client stage, name a commit, and write only what it read", () => {
    const writes = (Object.keys(access) as RouteName[]).filter((name) =>
      /^(?:PUT|DELETE) \/v1\/(?:zones|services|overlays|hosts)\/[^/]+(?:\/members\/[^/]+)?$/.test(
        name,
      ),
    );
    expect(writes).toHaveLength(10);
    for (const name of writes) {
      expect(parametersOf(name, "query")).toEqual(["message", "release"]);
      expect(parametersOf(name, "header")).toEqual([
        "If-Match",
        "If-None-Match",
        "Portcullis-On-Behalf-Of",
      ]);
    }
    expect(parametersOf("POST /v1/commits", "header")).toEqual(["Idempotency-Key"]);
  });

  test("says of each route what it refuses, as problem+json", () => {
    for (const { name, operation } of operations) {
      const refusals = Object.entries(operation.responses).filter(([status]) =>
        /^[45]/.test(status),
      );
      const statuses = refusals.map(([status]) => status);
      expect([name, statuses]).toEqual([name, expect.arrayContaining(["400", "500"])]);
      if (access[name as RouteName].by !== "anyone") expect(statuses).toContain("401");
      for (const [, { $ref = "" }] of refusals) {
        const response = document.components.responses[$ref.split("/").at(-1) ?? ""];
        expect(Object.keys(response?.content ?? {})).toEqual(["application/problem+json"]);
      }
    }
  });

  test("has an example of every body that is sent, and each is one that is taken", () => {
    const bare = new Set(["EnrolRequest", "HostTokenRequest", "Report"]);
    for (const name of Object.keys(access) as RouteName[]) {
      const { body } = routeOf(name);
      const component = Object.entries(components).find(([, schema]) => schema === body)?.[0];
      if (body === undefined) continue;
      expect([name, component]).toEqual([name, expect.any(String)]);
      if (!bare.has(component ?? "")) expect(Object.keys(examples)).toContain(component);
    }
    for (const [name, example] of Object.entries(examples)) {
      const schema = components[name as keyof typeof components];
      expect([name, schema.safeParse(example).error]).toEqual([name, undefined]);
    }
  });

  test("passes Redocly's recommended rules, which find what is taken away", async () => {
    expect(await lintFindings(JSON.stringify(document))).toEqual([]);
    const text = JSON.stringify(document).replace('"operationId":"listZones",', "");
    expect(await lintFindings(text)).toEqual([expect.stringContaining("operation-operationId")]);
  });
});
