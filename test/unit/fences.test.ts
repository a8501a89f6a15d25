/** What the check of the documents' blocks takes for a command, and what it finds wrong. */
import { expect, test } from "vitest";
import { commandsOf, faultsOf, fencesOf } from "../checks/fences.ts";

const fenceOf = (text: string) => ({ line: 1, language: "sh", text, notRun: undefined });
const faults = (text: string) => faultsOf(fenceOf(text), import.meta.dirname);

test("blocks are found in lists too, each with why it is not run", () => {
  const markdown =
    "<!-- not run: needs a host -->\n```sh\na\nb\n```\n\n1. x\n\n   ```yaml\n   c: 1\n   ```\n";
  expect(fencesOf(markdown)).toEqual([
    { line: 2, language: "sh", text: "a\nb", notRun: "needs a host" },
    { line: 9, language: "yaml", text: "c: 1", notRun: undefined },
  ]);
});

test("a line is read as the commands that it is made of, without what it sends elsewhere", () => {
  expect(commandsOf("a 'b c' > out && d | e 2>/dev/null # why\nf \\\n  g")).toEqual([
    ["a", "b c"],
    ["d"],
    ["e"],
    ["f", "g"],
  ]);
});

test("an option, a command or a file that does not exist is found, marked as not run or not", () => {
  expect(faults("portcullis root show 2.json --from root.json | head")).toEqual([]);
  expect(faults("portcullis plan -f x --purne")).toEqual([expect.stringContaining("--purne")]);
  expect(faults("portcullis frobnicate")).toEqual([expect.stringContaining("frobnicate")]);
  expect(faults("echo T | portcullis-agent join https://a --root HEX")).toEqual([
    expect.stringContaining("--root"),
  ]);
  expect(faults("node nothing/main.ts --help")).toEqual(["no such file: nothing/main.ts"]);
  expect(faultsOf({ ...fenceOf("portcullis plan"), notRun: "why" }, "/")).toEqual([
    expect.stringContaining("-f is needed"),
  ]);
});

test("a block without a language, and one that is not run for no reason, are found", () => {
  expect(faultsOf({ ...fenceOf("x"), language: "" }, "/")).toEqual([
    expect.stringContaining("language"),
  ]);
  expect(faultsOf({ ...fenceOf("x"), notRun: "" }, "/")).toEqual([expect.stringContaining("why")]);
});
