/** The store's contract on D1 and R2. */
import { storeContract } from "#test/worker/contract/store.ts";
import { openD1 } from "./adapter.ts";

storeContract("workerd", openD1);
