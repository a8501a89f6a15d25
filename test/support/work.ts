/**
 * How much work a piece of code does, in steps: how often each block of any function ran, as V8 counts it. No clock, so
 * that a machine under load gives the same number. What runs inside the engine counts nothing, so the searches that the
 * language has built in are done by code while it is counted.
 */
import { Session } from "node:inspector";

export interface Meter {
  /** Steps that `run` takes, to its end. */
  count(run: () => unknown): number;
  /** The same for work that waits in between; nothing else may run meanwhile. */
  countAwaited(run: () => Promise<unknown>): Promise<number>;
  close(): void;
}

/** Must be open before the code that is measured is loaded: what was compiled before is counted by calls alone. */
export function openMeter(): Meter {
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  return {
    count(run) {
      const restore = replaceSearches();
      try {
        taken(session);
        run();
        return taken(session);
      } finally {
        restore();
      }
    },
    async countAwaited(run) {
      const restore = replaceSearches();
      try {
        taken(session);
        await run();
        return taken(session);
      } finally {
        restore();
      }
    },
    close: () => session.disconnect(),
  };
}

/** Steps since it was asked last. The session answers at once. */
function taken(session: Session): number {
  let steps = 0;
  session.post("Profiler.takePreciseCoverage", (error, { result }) => {
    if (error !== null) throw error;
    for (const { functions } of result)
      for (const { ranges } of functions) for (const { count } of ranges) steps += count;
  });
  return steps;
}

/** @returns what puts the engine's own back */
function replaceSearches(): () => void {
  const { indexOf, includes, lastIndexOf } = Array.prototype;
  Array.prototype.indexOf = function search(this: unknown[], wanted: unknown, from = 0): number {
    for (let i = from; i < this.length; i += 1) if (this[i] === wanted) return i;
    return -1;
  };
  Array.prototype.lastIndexOf = function search(this: unknown[], wanted: unknown): number {
    for (let i = this.length - 1; i >= 0; i -= 1) if (this[i] === wanted) return i;
    return -1;
  };
  Array.prototype.includes = function search(this: unknown[], wanted: unknown): boolean {
    for (let i = 0; i < this.length; i += 1) if (Object.is(this[i], wanted)) return true;
    return false;
  };
  return () => Object.assign(Array.prototype, { indexOf, includes, lastIndexOf });
}
