import { expect, test } from "vitest";
import { startLab, tableOf, testData } from "./lab-process.ts";
import { declared } from "./reaching.ts";

test("the same chain holds with the control plane on workerd, D1 and R2", async () => {
  const data = testData();
  const lab = startLab("main", ["--once", "--runtime", "workerd", "--port", "0", "--data", data]);
  const code = await lab.ended;
  expect(code, `${lab.stdout()}${lab.stderr()}`).toBe(0);
  expect(tableOf(lab.stdout(), 0).open).toEqual(declared);
  expect(tableOf(lab.stdout(), 1).open).toContain("carol > alice everything");
  expect(tableOf(lab.stdout(), 2).open).toEqual(new Set(["laptop1 > photos1 tcp/2342"]));
  expect(lab.stdout()).toMatch(/\d+ checks agree, 0 differ/);
});
