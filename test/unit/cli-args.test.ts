/** The operator's command line before anything is sent: help that fits, typos that are understood, completions. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseCommand } from "#agent/commands/args.ts";
import { findCommand } from "#args/find.ts";
import { readArgs } from "#args/read.ts";
import { wordsOf } from "#args/spec.ts";
import { version } from "#args/version.ts";
import { program } from "#cli/commands/index.ts";
import { NumberedPage, Page } from "#schema/api/common.ts";
import { RolloutsQuery } from "#schema/api/rollouts.ts";
import { runCli } from "../support/cli.ts";

const { commands } = program;
const says = async (...args: readonly string[]): Promise<string> => {
  const { code, lines, errors } = await runCli(args);
  expect({ code, errors }).toEqual({ code: 0, errors: [] });
  return lines.join("\n");
};

describe("help", () => {
  test("every command is listed, explains itself within 80 columns, and its examples are ones it takes", async () => {
    const overview = await says("--help");
    const names = overview.match(/^ {2}\S+(?: \S+)?(?= {2,})/gm)?.map((name) => name.trim()) ?? [];
    expect(names).toEqual(commands.map(({ spec }) => spec.name));
    const pages = [overview];
    for (const { spec } of commands) {
      const page = await says(...wordsOf(spec.name), "--help");
      expect(page).toMatch(new RegExp(`^portcullis ${spec.name}`));
      if (spec.name !== "completion") expect(page).toContain("--json");
      expect([spec.name, spec.examples.length]).not.toEqual([spec.name, 0]);
      for (const example of spec.examples) {
        const words = spawnSync("sh", ["-c", `printf '%s\\n' ${example.split(" > ")[0] ?? ""}`], {
          encoding: "utf8",
        });
        const given = words.stdout.trimEnd().split("\n").slice(wordsOf(spec.name).length);
        expect(() => readArgs(spec, given)).not.toThrow();
      }
      pages.push(page);
    }
    for (const line of pages.flatMap((page) => page.split("\n")))
      expect([line, Array.from(line).length <= 80]).toEqual([line, true]);
  });

  test("a group of commands has help of its own, in either place", async () => {
    const page = await says("rollout", "--help");
    expect(page).toMatch(/^portcullis rollout COMMAND/);
    expect(page).toContain("rollout start");
    expect(page).not.toContain("token create");
    expect(await says("help", "rollout")).toBe(page);
    expect(await says("help", "plan")).toBe(await says("plan", "-h"));
  });

  test("plan documents its exit codes", async () => {
    expect(await says("plan", "--help")).toContain(
      "Exit codes: 0 no change, 2 changes, 1 an error.",
    );
  });

  test("both programs say the version of the package", async () => {
    const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
    expect(JSON.parse(manifest)).toMatchObject({ version });
    expect(await says("--version")).toBe(version);
    expect(parseCommand(["--version"])).toEqual({ kind: "say", text: version });
  });
});

test.each([
  [["plna", "-f", "x"], /did you mean plan\?/],
  [["rollout", "strat"], /did you mean rollout start\?/],
  [["rollout", "everything"], /rollout is one of rollout start, /],
  [["apply", "-f", "x", "--prnue"], /unknown option --prnue; did you mean --prune\?/],
  [["hosts", "--at", "2026-01-01T00:00:00Z"], /unknown option --at/],
  [["hosts", "a", "b"], /too many arguments/],
  [["pin"], /--reason is needed|HOST is needed/],
  [["frobnicate"], /no such command; portcullis --help/],
])("what was probably meant is said: %j", async (args, expected) => {
  const { code, lines, errors } = await runCli(args);
  expect({ code, lines, count: errors.length }).toEqual({ code: 2, lines: [], count: 1 });
  expect(errors[0]).toMatch(expected);
});

describe("completions", () => {
  /** What bash offers for the last of these words. */
  async function offered(...words: readonly string[]): Promise<readonly string[]> {
    const script = await says("completion", "bash");
    const line = words.map((word) => `'${word}'`).join(" ");
    const asking = `${script}\nCOMP_WORDS=(portcullis ${line}); COMP_CWORD=${words.length}; _portcullis; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr, status } = spawnSync("bash", ["--norc", "-c", asking], {
      encoding: "utf8",
    });
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    return stdout.split("\n").filter((text) => text !== "");
  }

  test("bash offers commands, then their own options, then the values of those", async () => {
    expect(await offered("ro")).toEqual(["rollout", "root"]);
    expect(await offered("rollout", "st")).toEqual(["start"]);
    expect(await offered("rollout", "hosts", "7", "--st")).toEqual(["--standing"]);
    expect(await offered("rollout", "hosts", "7", "--standing", "comm")).toEqual(["committed"]);
    expect(await offered("hosts", "hi")).toEqual(["history"]);
    expect(await offered("pin", "--lift")).toEqual([]);
    expect(await offered("token", "create", "--scope", "intent:w")).toEqual(["intent:write"]);
  });

  test.each(["bash", "zsh", "fish"])("%s knows every command and every option", async (shell) => {
    const script = await says("completion", shell);
    for (const { spec } of commands) {
      for (const word of wordsOf(spec.name)) expect(script).toContain(word);
      for (const option of Object.keys(spec.options))
        expect(script).toContain(shell === "fish" ? `-l ${option}` : `--${option}`);
    }
  });

  test("the agent has them too", () => {
    const script = parseCommand(["completion", "bash"]);
    expect(script.kind === "say" ? script.text : "").toContain("complete -o bashdefault");
    expect(() => parseCommand(["completion", "tcsh"])).toThrow(/SHELL is one of bash, zsh, fish/);
  });
});

test("a host that is called as a command is can be shown", () => {
  for (const name of ["adopting", "history", "revoke", "show"]) {
    const found = findCommand(commands, ["hosts", "show", name]);
    expect(found).toMatchObject({
      kind: "command",
      command: { spec: { name: "hosts show" } },
      rest: [name],
    });
  }
});

test.each(["0x10", "1e1", " 5", "+5", "05", "", "1.0"])(
  "a number in a query is decimal, which %j is not",
  (text) => {
    for (const query of [Page, NumberedPage, RolloutsQuery])
      expect(query.safeParse({ limit: text }).error?.issues[0]?.path).toEqual(["limit"]);
    expect(Page.parse({ limit: "16" }).limit).toBe(16);
  },
);
