/**
 * `docs/reference` has pages that are made from definitions: commands from their specs, routes from the table of routes,
 * codes from `schema/`. Run by itself, this writes them anew; the check compares.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { refusedToo, specs as agentSpecs } from "#agent/commands/specs.ts";
import { program } from "#cli/commands/index.ts";
import { apiPage } from "./reference/api.ts";
import { codesPage } from "./reference/codes.ts";
import { commandPage } from "./reference/commands.ts";

const folder = join("docs", "reference");

/** Text of each page by its file's name. */
const pages = (): Readonly<Record<string, string>> => ({
  "agent-cli.md": commandPage({
    name: "portcullis-agent",
    about: "The agent's command on a host. [Agent on the host](agent.md) says what it does there.",
    exits: `${refusedToo}.`,
    specs: Object.values(agentSpecs),
    from: "`agent/commands/specs.ts`",
  }),
  "api.md": apiPage(),
  "cli.md": commandPage({
    name: program.name,
    about:
      "The operator's command line. It reads `$PORTCULLIS_URL`, `$PORTCULLIS_TOKEN` and `$PORTCULLIS_CA`; options win. " +
      "`source <(portcullis completion bash)`, or `zsh` or `fish`, completes commands and options.",
    exits: program.exits,
    specs: program.commands.map(({ spec }) => spec),
    from: "the specs in `cli/commands`",
  }),
  "codes.md": codesPage(),
});

export function referenceFindings(root: string): readonly string[] {
  return Object.entries(pages()).flatMap(([name, text]) => {
    const path = join(folder, name);
    return readFileSync(join(root, path), "utf8") === text
      ? []
      : [`${path} is not what the definitions say: node test/checks/reference.ts writes it anew`];
  });
}

if (import.meta.main)
  for (const [name, text] of Object.entries(pages()))
    writeFileSync(join(import.meta.dirname, "..", "..", folder, name), text);
