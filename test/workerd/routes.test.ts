/** The routes' contract on workerd. */
import { routeContract } from "#test/worker/contract/routes.ts";
import { openD1 } from "./adapter.ts";

routeContract("workerd", openD1);
