/** What a guard's check of a hostile bundle costs, in steps: as much as the bundle is large, whatever it says. */
import { afterAll, describe, expect, test } from "vitest";
import { openMeter } from "#test/support/work.ts";

const meter = openMeter();
afterAll(() => meter.close());
// Loaded when the meter runs, so that it counts every block.
const { decodeBundle, encodeBundle } = await import("#schema/bundle.ts");
const { Guard } = await import("#schema/guard.ts");
const { guardRefusals } = await import("#core/simulate/admission.ts");
const { render } = await import("#core/render/index.ts");
const { families } = await import("#test/support/hostile-families.ts");

const guard = Guard.parse({
  management: { interfaces: ["mgmt0"], allow: [] },
  limits: { max_rules: 100_000, max_elements: 2_000_000, max_any_accept: 131_070 },
  never_accept_from_any: [],
});

describe.each(Object.entries(families))("%s", (_, family) => {
  test("cost steps that double with the bundle: reading, the guard's check, rendering", () => {
    const stepsFor = (n: number): readonly number[] => {
      const bytes = encodeBundle(family(n));
      const decoded = decodeBundle(bytes);
      if (!decoded.ok) throw new Error(decoded.message);
      return [
        meter.count(() => decodeBundle(bytes)),
        meter.count(() => guardRefusals(decoded.ruleset, guard)),
        meter.count(() => render(decoded.ruleset, guard)),
      ];
    };
    stepsFor(500);
    const [few, many] = [stepsFor(500), stepsFor(2_000)];
    const ratios = many.map((steps, i) => steps / (few[i] ?? 0));
    // Four times as much is 4, each with each 16; where all is sorted, or a look-up gets a level deeper, a little more.
    for (const ratio of ratios)
      expect(ratios.join(" "), `ratio ${ratio}`).toSatisfy(() => ratio < 6);
  });
});
