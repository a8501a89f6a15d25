/** The catalog's contract, and that of plans, on workerd. */
import { catalogContract } from "#test/worker/contract/catalog.ts";
import { planContract } from "#test/worker/contract/plan.ts";
import { openD1 } from "./adapter.ts";

catalogContract("workerd", openD1);
planContract("workerd", openD1);
