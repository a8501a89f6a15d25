/** The contract of plans, and of commits with a key, on workerd. */
import { planContract } from "#test/worker/contract/plan.ts";
import { openD1 } from "./adapter.ts";

planContract("workerd", openD1);
