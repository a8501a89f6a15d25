/** Macros mean what the registry of service names says, by a table of their own. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { macroNames, macros } from "#schema/macros.ts";
import { macroNamesHere, portsOfMacro, registry, servicesIn } from "../support/services.ts";

test("every macro has a meaning here, and there is no other", () => {
  expect(macroNames.toSorted()).toEqual(macroNamesHere.toSorted());
});

test.each(macroNames)(
  "%s is the ports and protocols that the registry gives its service",
  (macro) => {
    expect(macros[macro]).toEqual(portsOfMacro(macro));
  },
);

test("the extract of the registry says nothing else than Debian's own, where that is installed", () => {
  const file = "/etc/services";
  const known = existsSync(file) ? servicesIn(readFileSync(file, "utf8")) : registry;
  const named = registry.filter(({ name, proto }) =>
    known.some((other) => other.name === name && other.proto === proto),
  );
  expect(named.length).toBeGreaterThan(20);
  for (const line of named) expect(known).toContainEqual(line);
});
