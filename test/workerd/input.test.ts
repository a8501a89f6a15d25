/** What no route passes over, on D1. */
import { inputContract } from "#test/worker/contract/input.ts";
import { openD1 } from "./adapter.ts";

inputContract("workerd", openD1);
