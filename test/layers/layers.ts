/**
 * The layers of proof (DESIGN §10) as vitest runs, the longest first. Two run beside each other: namespaces, folders and
 * ports are each layer's own, and no test concludes anything from time.
 */
export interface Layer {
  readonly name: string;
  readonly arguments: readonly string[];
}

const project = (name: string): Layer => ({ name, arguments: ["--project", name] });

export const layers: readonly Layer[] = [
  project("e2e"),
  project("package"),
  project("attack"),
  project("kernel"),
  project("crash"),
  project("walls"),
  project("worker"),
  { name: "workerd", arguments: ["--config", "vitest.workerd.config.ts"] },
  project("unit"),
];
