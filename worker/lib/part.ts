/** Work in parts that stand alone: one that fails is told under its name, and the others go on. */
import { describeError } from "./log.ts";

/** Does a piece of work; never throws. */
export type Part = (name: string, work: () => Promise<unknown>) => Promise<void>;

export interface Parts {
  readonly part: Part;
  /** Names of those that failed so far, in that order. */
  readonly failed: readonly string[];
}

export function openParts(whole: string): Parts {
  const failed: string[] = [];
  const runPart: Part = async (name, work) => {
    try {
      await work();
    } catch (error) {
      failed.push(name);
      console.error(JSON.stringify({ [whole]: name, error: describeError(error) }));
    }
  };
  return { part: runPart, failed };
}
