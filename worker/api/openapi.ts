/** The OpenAPI document: made from the routes themselves, once, at first asking. */
import type { Hono, MiddlewareHandler } from "hono";
import { generateSpecs } from "hono-openapi";
import type { AppEnv } from "./env.ts";

const documentation = {
  openapi: "3.1.0",
  info: {
    title: "Portcullis",
    version: "1",
    description: "A firewall control plane: intent as rows, rules as a projection.",
  },
  components: {
    securitySchemes: {
      operator: { type: "http", scheme: "bearer", description: "An operator's token" },
      host: { type: "http", scheme: "bearer", description: "A host's own credential" },
    },
  },
} as const;

export function openApi(app: Hono<AppEnv>): MiddlewareHandler<AppEnv> {
  let document: Promise<unknown> | undefined;
  return async (c) => {
    document ??= generateSpecs(app, {
      documentation,
      excludeStaticFile: false,
      defaultValidationErrorResponse: false,
    });
    return c.json(await document);
  };
}
