/** The catalog's contract on workerd. */
import { catalogContract } from "#test/worker/contract/catalog.ts";
import { openD1 } from "./adapter.ts";

catalogContract("workerd", openD1);
