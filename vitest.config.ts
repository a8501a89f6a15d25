/** One project per layer of proof (DESIGN §10), so that each can be run and counted alone. */
import { defineConfig } from "vitest/config";

const layer = (name: string, folders: readonly string[], timeoutSeconds: number, parallel: boolean) => ({
  test: {
    name,
    include: folders.map((folder) => `test/${folder}/**/*.test.ts`),
    testTimeout: timeoutSeconds * 1000,
    hookTimeout: 60_000,
    fileParallelism: parallel,
  },
});

export default defineConfig({
  test: {
    projects: [
      layer("unit", ["unit", "golden", "property"], 30, true),
      layer("walls", ["walls"], 120, true),
      layer("worker", ["worker"], 30, true),
      layer("attack", ["attack"], 60, true),
      layer("kernel", ["kernel"], 120, false),
      layer("e2e", ["e2e"], 300, false),
    ],
  },
});
