/** `GET /openapi.json`: the document, made once at first asking. */
import type { Context } from "hono";
import type { AppEnv } from "#worker/http/env.ts";
import { openApiDocument } from "./document.ts";

export function openApi(): (c: Context<AppEnv>) => Response {
  let text: string | undefined;
  return (c) => {
    text ??= JSON.stringify(openApiDocument());
    return c.body(text, 200, { "Content-Type": "application/json" });
  };
}
