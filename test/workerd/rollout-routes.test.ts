/** Routes of rollouts on D1 and R2. */
import { rolloutRouteContract } from "#test/worker/contract/rollout-routes.ts";
import { openD1 } from "./adapter.ts";

rolloutRouteContract("workerd", openD1);
