/**
 * The reporter of `npm test`: a line for each test and file as it ends, an error where it happened, and the journal that
 * the tally counts from. Whoever watches can tell a long run from one that hangs.
 */
import { appendFileSync } from "node:fs";
import type {
  Reporter,
  SerializedError,
  TestCase,
  TestModule,
  TestSpecification,
  Vitest,
} from "vitest/node";
import { type Entry, journalVariable } from "./journal.ts";

export default class ProgressReporter implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
    say(`vitest ${vitest.version}`);
  }

  onTestRunStart(specifications: readonly TestSpecification[]): void {
    note({ kind: "run", files: specifications.map(({ moduleId }) => moduleId) });
  }

  onTestModuleCollected(module: TestModule): void {
    const tests = [...module.children.allTests()].map(({ id, fullName }) => ({
      id,
      name: fullName,
    }));
    note({ kind: "collected", file: module.moduleId, tests });
  }

  onTestCaseResult(test: TestCase): void {
    const { state, errors } = test.result();
    const name = test.fullName;
    note({ kind: "test", id: test.id, name, state });
    const took = Math.round(test.diagnostic()?.duration ?? 0);
    say(`${state} ${test.module.relativeModuleId} > ${name} (${took} ms)`);
    if (state === "failed") this.#show(errors);
  }

  onTestModuleEnd(module: TestModule): void {
    note({ kind: "file", file: module.moduleId, state: module.state() });
    say(
      `${module.state()} ${module.relativeModuleId} (${Math.round(module.diagnostic().duration)} ms)`,
    );
    this.#show(module.errors());
  }

  onTestRunEnd(_modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    this.#show(errors);
    note({ kind: "end", errors: errors.length });
  }

  onUserConsoleLog({ content }: { readonly content: string }): void {
    process.stdout.write(content);
  }

  #show(errors: readonly SerializedError[]): void {
    for (const error of errors) this.#vitest?.logger.printError(error, { showCodeFrame: true });
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** At once and for good: the run may be killed right after. */
function note(entry: Entry): void {
  const file = process.env[journalVariable];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(entry)}\n`);
}
