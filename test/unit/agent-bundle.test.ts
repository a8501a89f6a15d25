import { expect, test } from "vitest";
import { foreignIn, readAgentBundle } from "#test/checks/agent-bundle.ts";

test("the agent's bundle holds no module of the control plane's", async () => {
  const { foreign, bytes } = await readAgentBundle();
  expect(foreign).toEqual([]);
  expect(bytes).toBeGreaterThan(100_000);
});

test("the command line's bundle, judged as an agent's, is seen to hold others' modules", async () => {
  const { foreign } = await readAgentBundle("cli/main.ts");
  expect(foreign).toEqual(expect.arrayContaining(["cli/main.ts", "schema/problems.ts"]));
});

test("a module that left no byte in the file does not count", () => {
  const input = (bytesInOutput: number) => ({ bytesInOutput });
  const output = {
    bytes: 9,
    imports: [],
    exports: [],
    inputs: { "worker/app.ts": input(0), "worker/env.ts": input(4), "agent/main.ts": input(5) },
  };
  expect(foreignIn({ inputs: {}, outputs: { "agent.mjs": output } })).toEqual(["worker/env.ts"]);
});
