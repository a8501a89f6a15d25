/** What docs/lost.md says to type: commands before all others, and each section's, in its order. */

export interface Loss {
  readonly title: string;
  /** Texts of its fences. */
  readonly fences: readonly string[];
}

const fencesOf = (text: string): readonly string[] =>
  [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands = ""]) => commands);

export function readLosses(markdown: string): {
  readonly before: string;
  readonly sections: readonly Loss[];
} {
  const [before = "", ...sections] = markdown.split(/^## /m);
  return {
    before: fencesOf(before).join(""),
    sections: sections.map((text) => ({
      title: text.slice(0, text.indexOf("\n")),
      fences: fencesOf(text),
    })),
  };
}
