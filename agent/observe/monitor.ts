/**
 * Reads what `nft monitor` says: the lines of one transaction, and at its end who made it. Decides whether a
 * transaction of somebody else may have touched our table. Pure but for what it remembers between two ends.
 *
 * Lines about other tables are known as theirs; a line that cannot be read ("W: Received event for an unknown set")
 * counts as ours, so that the worst a strange line does is one listing too many.
 */
import { table } from "#core/render/nft/program.ts";
import { printable } from "#agent/machine/refusal.ts";

/** One transaction of the kernel's. */
export interface Generation {
  readonly pid: number;
  /** The kernel's name of the process, printable; at most 15 characters, chosen by that process. */
  readonly by: string;
  /** The first lines about our table; empty when none was seen. */
  readonly lines: readonly string[];
}

const linesKeptMax = 20;
const lineLengthMax = 200;

const ending = /^# new generation \d+ by process (\d+) \((.*)\)$/;
/** `add rule inet portcullis input accept`, `delete table inet other`. */
const change =
  /^(?:add|delete|insert|replace|update|flush|reset|destroy) [a-z ]+? (ip|ip6|inet|arp|bridge|netdev) (\S+)/;
/** Inside a braced object, which nft prints before a line of `change` repeats it. */
const inside = /^(?:\s|}|table |$)/;

/** @param onGeneration told of every transaction. @returns takes one line, without its end */
export function readMonitor(
  onGeneration: (generation: Generation) => void,
): (line: string) => void {
  let lines: string[] = [];
  return (line) => {
    const [, pid, by] = ending.exec(line) ?? [];
    if (pid !== undefined && by !== undefined) {
      onGeneration({ pid: Number(pid), by: printable(by), lines });
      lines = [];
    } else if (mayBeOurs(line) && lines.length < linesKeptMax)
      lines.push(printable(line.trim()).slice(0, lineLengthMax));
  };
}

function mayBeOurs(line: string): boolean {
  if (inside.test(line)) return false;
  const [, family, name] = change.exec(line) ?? [];
  return family === undefined || (family === table.family && name === table.name);
}
