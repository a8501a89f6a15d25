/** The agent's command line: what each command takes, and what it refuses before anything runs. */
import { describe, expect, test } from "vitest";
import { parseCommand, UsageError } from "#agent/commands/args.ts";
import { specs } from "#agent/commands/specs.ts";
import type { Spec } from "#args/spec.ts";

const commands: readonly Spec[] = Object.values(specs);
const everyOption = new Map(commands.flatMap(({ options }) => Object.entries(options)));
const refusal = (args: readonly string[]): string => {
  try {
    parseCommand(args);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return "accepted";
};

describe("the agent's command line", () => {
  test.each(commands)("$name takes its own options and no other command's", ({ name, options }) => {
    for (const [option, { kind }] of everyOption) {
      const given = kind === "flag" ? [`--${option}`] : [`--${option}`, "7"];
      const said = refusal([name, ...(name === "completion" ? ["bash"] : []), ...given]);
      const expected = Object.hasOwn(options, option)
        ? /^accepted$/
        : new RegExp(`unknown option --${option}`);
      expect([name, option, said]).toEqual([name, option, expect.stringMatching(expected)]);
    }
  });

  test.each([
    [
      ["status", "--lift", "--yes", "--token-file", "/nope"],
      /unknown option --lift; see status --help/,
    ],
    [["closed", "--lft"], /did you mean --lift\?/],
    [["statsu"], /did you mean status\?/],
    [["run", "now"], /too many arguments/],
    [["status", "--json=1"], /--json takes no value/],
    [["status", "--events"], /--events needs a value: --events N/],
    [["join", "--token-file", "--enforce"], /--token-file needs a value/],
    [["status", "--json", "--events", "3", "--events", "4"], /--events is given twice/],
    [[], /expected a command/],
  ])("called wrongly is said in one line: %j", (args, expected) => {
    expect(refusal(args)).toMatch(expected);
  });

  test("no message quotes what was given", () => {
    for (const args of [
      ["SECRET"],
      ["run", "SECRET"],
      ["run", "--SECRET"],
      ["status", "--json=SECRET"],
      ["join", "https://x", "SECRET"],
      ["completion", "SECRET"],
    ])
      expect(refusal(args)).not.toContain("SECRET");
  });

  test("defaults, a URL in either place, and what may begin with a dash", () => {
    const options = (...args: readonly string[]) => {
      const command = parseCommand(args);
      if (command.kind === "say") throw new Error("it only speaks");
      return command.options;
    };
    expect(options("run")).toMatchObject({
      stateDir: "/var/lib/portcullis",
      nft: "nft",
      json: false,
    });
    expect(options("join", "https://a", "--url", "https://b").url).toBe("https://a");
    expect(options("join", "--url", "https://b", "--token-file", "-")).toMatchObject({
      url: "https://b",
      tokenFile: "-",
    });
    expect(options("join", "--token-file=--odd").tokenFile).toBe("--odd");
  });

  test.each([[], ...commands.map(({ name }) => [name])])("help fits 80 columns: %j", (...words) => {
    const said = parseCommand([...words, "--help"]);
    if (said.kind !== "say") throw new Error("it did something");
    for (const line of said.text.split("\n"))
      expect([line, line.length <= 80]).toEqual([line, true]);
    expect(said.text).toContain(words.length === 0 ? "closed" : "Examples:");
  });
});
