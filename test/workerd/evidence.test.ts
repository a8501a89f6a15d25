/** Evidence of rollouts on D1 and R2. */
import { evidenceContract } from "#test/worker/contract/evidence.ts";
import { openD1 } from "./adapter.ts";

evidenceContract("workerd", openD1);
