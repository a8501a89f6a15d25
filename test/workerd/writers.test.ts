/** Writers that race on D1. */
import { raceContract } from "#test/worker/contract/races.ts";
import { openD1 } from "./adapter.ts";

raceContract("workerd", openD1);
