/**
 * `openapi.json` is the document that the control plane serves, and a sound one: it passes the recommended rules of
 * Redocly. Run by itself, this writes the file anew.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { openApiDocument } from "#worker/http/openapi/document.ts";

const file = "openapi.json";

export const documentText = (): string => `${JSON.stringify(openApiDocument(), null, 2)}\n`;

export async function openApiFindings(root: string): Promise<readonly string[]> {
  const text = documentText();
  const written = readFileSync(join(root, file), "utf8");
  return [
    ...(text === written
      ? []
      : [`${file} is not what the routes say: node test/checks/openapi.ts writes it anew`]),
    ...(await lintFindings(text)),
  ];
}

/** Everything that the recommended rules say, warnings too. Reads nothing but the text. */
export async function lintFindings(text: string): Promise<readonly string[]> {
  const config = await createConfig({ extends: ["recommended"], telemetry: "off" });
  const problems = await lintFromString({ source: text, absoluteRef: `/${file}`, config });
  return problems.map(
    ({ ruleId, message, location }) =>
      `${file}${location[0]?.pointer ?? ""}: ${message} (${ruleId})`,
  );
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, "..", "..", file), documentText());
