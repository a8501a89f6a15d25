import { expect, test } from "vitest";
import { testData, packetsOf, startLab } from "./lab-process.ts";

test("the same chain holds with the control plane on workerd, D1 and R2", async () => {
  const data = testData();
  const lab = startLab("main", ["--once", "--runtime", "workerd", "--port", "0", "--data", data]);
  const code = await lab.ended;
  expect(code, `${lab.stdout()}${lab.stderr()}`).toBe(0);
  const [declared, carolInDev] = [packetsOf(lab.stdout(), 0), packetsOf(lab.stdout(), 1)];
  expect(declared.get("alice>bob")).toEqual(["accept", "accept"]);
  expect(declared.get("alice>carol")).toEqual(["drop", "drop"]);
  expect(declared.get("alice>elsewhere")).toEqual(["drop", "drop"]);
  expect(carolInDev.get("alice>carol")).toEqual(["accept", "accept"]);
  expect(carolInDev.get("elsewhere>carol")).toEqual(["drop", "drop"]);
  expect(lab.stdout()).toMatch(/\d+ checks agree, 0 differ/);
});
