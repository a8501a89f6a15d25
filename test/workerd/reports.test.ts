/** The contract of what hosts report, on workerd. */
import { reportContract } from "#test/worker/contract/reports.ts";
import { openD1 } from "./adapter.ts";

reportContract("workerd", openD1);
