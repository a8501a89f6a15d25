/** One project per layer of proof (DESIGN §10), so that each can be run and counted alone. */
import { defineConfig } from "vitest/config";

const layer = (name: string, folders: readonly string[], timeoutSeconds: number, parallel: boolean) => ({
  test: {
    name,
    include: folders.map((folder) => `test/${folder}/**/*.test.ts`),
    testTimeout: timeoutSeconds * 1000,
    hookTimeout: 180_000,
    fileParallelism: parallel,
  },
});

export default defineConfig({
  test: {
    projects: [
      layer("unit", ["unit", "golden", "property"], 120, true),
      layer("walls", ["walls"], 240, true),
      layer("worker", ["worker"], 120, true),
      layer("attack", ["attack"], 120, true),
      layer("kernel", ["kernel"], 240, false),
      layer("crash", ["crash"], 120, false),
      layer("package", ["package"], 600, false),
      layer("e2e", ["e2e"], 300, false),
    ],
  },
});
