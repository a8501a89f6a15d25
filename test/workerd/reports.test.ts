/** The contract of what hosts report, on workerd. */
import { reportNumberContract } from "#test/worker/contract/report-numbers.ts";
import { reportContract } from "#test/worker/contract/reports.ts";
import { openD1 } from "./adapter.ts";

reportContract("workerd", openD1);
reportNumberContract("workerd", openD1);
