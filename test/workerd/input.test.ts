/** What no route passes over, and what every answer has, on D1. */
import { answersContract } from "#test/worker/contract/answers.ts";
import { inputContract } from "#test/worker/contract/input.ts";
import { openD1 } from "./adapter.ts";

inputContract("workerd", openD1);
answersContract("workerd", openD1);
