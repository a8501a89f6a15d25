/** The page of a program: its commands in a table, then each command's own help, as `--help` prints it. */
import { helpOf } from "#args/help.ts";
import type { Spec } from "#args/spec.ts";
import { code, made, page, table } from "./markdown.ts";

export interface Documented {
  readonly name: string;
  /** One line under the title. */
  readonly about: string;
  /** What each exit code means, where it says so for all commands. */
  readonly exits?: string;
  readonly specs: readonly Spec[];
  /** Where the specs stand. */
  readonly from: string;
}

const anchor = (program: string, name: string): string =>
  `#${program}-${name.replaceAll(" ", "-")}`;

export const commandPage = ({ name, about, exits, specs, from }: Documented): string =>
  page(
    made(from),
    `# ${code(name)}`,
    about,
    exits === undefined ? "" : `Exit codes: ${exits}`,
    table(
      ["command", "does"],
      specs.map((spec) => [`[${code(spec.name)}](${anchor(name, spec.name)})`, spec.summary]),
    ),
    ...specs.flatMap((spec) => [
      `## ${name} ${spec.name}`,
      `\`\`\`text\n${helpOf(name, spec)}\n\`\`\``,
    ]),
  );
