/** The contract of what hosts report and of what is kept, on workerd. */
import { reportNumberContract } from "#test/worker/contract/report-numbers.ts";
import { reportContract } from "#test/worker/contract/reports.ts";
import { retentionContract } from "#test/worker/contract/retention.ts";
import { openD1 } from "./adapter.ts";

reportContract("workerd", openD1);
reportNumberContract("workerd", openD1);
retentionContract("workerd", openD1);
