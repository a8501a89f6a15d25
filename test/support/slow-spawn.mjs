/**
 * Preloaded into a process that a test makes slow: every program it starts holds its event loop for SLOW_SPAWN_MS, as a
 * fork does on a machine with little to spare.
 */
import child from "node:child_process";
import { syncBuiltinESMExports } from "node:module";

const { spawn } = child;
const holdMs = Number(process.env.SLOW_SPAWN_MS);

child.spawn = (...args) => {
  const end = performance.now() + holdMs;
  while (performance.now() < end);
  return spawn(...args);
};
syncBuiltinESMExports();
