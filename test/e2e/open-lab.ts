/** A lab in this process, on a folder of its own or one that an earlier test left. */
import { type Lab, openLab } from "#lab/story/lab.ts";
import { openState } from "#lab/net/state.ts";

/** Opens it, and closes it whatever came of the check. */
export async function withLab(data: string, check: (lab: Lab) => Promise<void>): Promise<void> {
  const state = await openState(data);
  if (state === undefined) throw new Error("another lab holds this folder");
  const lab = await openLab({ data, port: 0, runtime: "standalone" }, state, () => undefined);
  try {
    await check(lab);
  } finally {
    await lab.close();
    state.release();
  }
}
