/** What a child process prints, as a fact to wait for. */
import type { ChildProcess } from "node:child_process";

/** @returns all that it printed until this text came. @throws Error when it ended without */
export async function outputUntil(child: ChildProcess, text: string): Promise<string> {
  let output = "";
  for await (const chunk of child.stdout ?? []) {
    output += String(chunk);
    if (output.includes(text)) return output;
  }
  throw new Error(`the process ended without "${text}": ${output}`);
}
