/** Pieces of Markdown that pages made from definitions are put together of. Pure. */

/** A cell holds one line, and no bar that is not escaped. */
const cell = (text: string): string => text.replaceAll("\n", " ").replaceAll("|", "\\|");

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

export const code = (text: string): string => `\`${text}\``;

/** What stands at the head of a page that nobody edits. */
export const made = (from: string): string =>
  `<!-- Made by \`node test/checks/reference.ts\` from ${from}. Do not edit. -->`;

/** Blocks with an empty line between them; empty ones are left out. */
export const page = (...blocks: readonly string[]): string =>
  `${blocks.filter((block) => block !== "").join("\n\n")}\n`;
