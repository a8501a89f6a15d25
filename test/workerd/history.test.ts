/** What ran when, on D1. */
import { historyContract } from "#test/worker/contract/history.ts";
import { openD1 } from "./adapter.ts";

historyContract("workerd", openD1);
