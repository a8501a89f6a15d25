/** A path that a route of the access table answers. */

/** Every parameter has a value that may exist; a host is `gw`. */
export const pathOf = (pattern: string): string =>
  pattern.replace(/:(\w+)/g, (_, parameter: string) => values(pattern)[parameter] ?? "gw");

const values = (pattern: string): Readonly<Record<string, string>> => ({
  revision: "1",
  version: "1",
  id: "1".repeat(16),
  file: pattern.includes("targets") ? `${"0".repeat(64)}.bundle.json` : "timestamp.json",
});
