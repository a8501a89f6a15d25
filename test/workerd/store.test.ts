/** The store's contract on D1 and R2. */
import { blobContract } from "#test/worker/contract/blobs.ts";
import { storeContract } from "#test/worker/contract/store.ts";
import { openD1 } from "./adapter.ts";

storeContract("workerd", openD1);
blobContract("workerd", openD1);
