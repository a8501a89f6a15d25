/**
 * Two peers of a host that knock for as long as they are told to: a stranger, who must never get in, and the management
 * network, which always must. Counts what was answered; decides nothing.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import * as z from "zod";

export interface Counts {
  /** Knocks of the stranger that were answered. */
  readonly opens: number;
  /** Knocks from the management network that were not. */
  readonly lockOuts: number;
  readonly knocks: number;
}

export const noCounts: Counts = { opens: 0, lockOuts: 0, knocks: 0 };

export const add = (a: Counts, b: Counts): Counts => ({
  opens: a.opens + b.opens,
  lockOuts: a.lockOuts + b.lockOuts,
  knocks: a.knocks + b.knocks,
});

export interface Knocking {
  start(): void;
  /** Ends the knocking and counts it, once every knock was answered or has waited long enough. */
  stop(): Promise<Counts>;
}

const Told = z.strictObject({ answered: z.int(), silent: z.int() });

/** @param stranger `watch.ts` running in a stranger's namespace. @param admin the same in the management network's */
export function openKnocking(stranger: ChildProcess, admin: ChildProcess): Knocking {
  const watches = [stranger, admin].map((child) => {
    if (child.stdout === null || child.stdin === null) throw new Error("expected pipes to a watch");
    return { input: child.stdin, lines: createInterface({ input: child.stdout }) };
  });
  const tell = (word: "start" | "stop"): void => watches.forEach(({ input }) => input.write(`${word}\n`));
  return {
    start: () => tell("start"),
    async stop() {
      const said = watches.map(({ lines }) => once(lines, "line"));
      tell("stop");
      const [outside, inside] = (await Promise.all(said)).map(([line]) =>
        Told.parse(JSON.parse(String(line))),
      );
      if (outside === undefined || inside === undefined) throw new Error("expected two counts");
      return {
        opens: outside.answered,
        lockOuts: inside.silent,
        knocks: outside.answered + outside.silent + inside.answered + inside.silent,
      };
    },
  };
}
