/** Release levels on D1 and R2. */
import { releaseContract } from "#test/worker/contract/release.ts";
import { openD1 } from "./adapter.ts";

releaseContract("workerd", openD1);
