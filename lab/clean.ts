/** `npm run lab:clean`: removes what a killed lab left behind. Touches nothing that is not in a lab's own ledger. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { openState } from "./net/state.ts";

process.exitCode = await clean();

async function clean(): Promise<number> {
  const { values } = parseArgs({ options: { data: { type: "string", default: ".portcullis" } } });
  const data = resolve(values.data);
  if (!existsSync(data)) return printResult("nothing to clean", 0);
  const state = await openState(data);
  if (state === undefined) return printResult(`a lab runs in ${data}: end it first`, 1);
  const { namespaces, processes } = await state.sweep();
  state.release();
  return printResult(`removed ${namespaces} namespaces and ended ${processes} processes`, 0);
}

function printResult(text: string, code: number): number {
  process.stdout.write(`lab: ${text}\n`);
  return code;
}
