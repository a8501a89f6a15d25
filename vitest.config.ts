/**
 * One project per layer of proof (DESIGN §10), so that each can be run and counted alone. A test or hook may take long on
 * a busy machine; what hangs is seen by its silence (`test/layers/run-layer.ts`), and this limit is only the last one.
 */
import { defineConfig } from "vitest/config";

const limit = 900_000;

const layer = (name: string, folders: readonly string[], parallel: boolean) => ({
  test: {
    name,
    include: folders.map((folder) => `test/${folder}/**/*.test.ts`),
    testTimeout: limit,
    hookTimeout: limit,
    fileParallelism: parallel,
  },
});

export default defineConfig({
  test: {
    projects: [
      layer("unit", ["unit", "golden", "property"], true),
      layer("walls", ["walls"], true),
      layer("worker", ["worker"], true),
      layer("attack", ["attack"], true),
      layer("kernel", ["kernel"], false),
      layer("crash", ["crash"], false),
      layer("package", ["package"], false),
      layer("e2e", ["e2e"], false),
    ],
  },
});
