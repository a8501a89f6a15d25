/**
 * The layers of proof (DESIGN §10) as vitest runs, in order. Those marked `shared` may run beside another one; kernel,
 * crash, e2e and package measure packets and stand alone. `limitSeconds` is when a hung run is killed and counted as failed.
 */
export interface Layer {
  readonly name: string;
  readonly arguments: readonly string[];
  readonly shared: boolean;
  readonly limitSeconds: number;
}

const project = (name: string, shared: boolean, limitSeconds: number): Layer => ({
  name,
  arguments: ["--project", name],
  shared,
  limitSeconds,
});

export const layers: readonly Layer[] = [
  project("unit", true, 600),
  project("walls", true, 1000),
  project("worker", true, 600),
  { name: "workerd", arguments: ["--config", "vitest.workerd.config.ts"], shared: true, limitSeconds: 600 },
  project("attack", true, 600),
  project("kernel", false, 900),
  project("crash", false, 900),
  project("e2e", false, 900),
  project("package", false, 1800),
];
