/** Rollouts on D1 and R2. */
import { rolloutContract } from "#test/worker/contract/rollouts.ts";
import { openD1 } from "./adapter.ts";

rolloutContract("workerd", openD1);
