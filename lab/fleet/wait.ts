/** What the control plane serves each host, and what each says that it runs: one look at the whole fleet. */
import type { Held } from "#schema/api/hosts.ts";
import type { Api } from "./api.ts";
import { CannotTell, waitUntil } from "#lab/run/process.ts";

/** Every host by name, in order, with what is served to it. */
export async function readPublishedFleet(api: Api): Promise<ReadonlyMap<string, Held>> {
  const { items } = await api.call("GET /v1/hosts", { query: { limit: 100 } });
  return new Map(
    items.flatMap(({ key, status }) =>
      status.published === null ? [] : [[key, status.published]],
    ),
  );
}

/** Waits until every host reports that it runs what it is served. @throws CannotTell naming those that do not */
export async function waitForFleet(
  api: Api,
  patienceMs: number,
): Promise<ReadonlyMap<string, Held>> {
  let behind: readonly string[] = [];
  const checkCurrent = async (): Promise<true | undefined> => {
    const { items } = await api.call("GET /v1/hosts", { query: { limit: 100 } });
    behind = items
      .filter(
        ({ status }) => status.applied === null || status.applied.seq !== status.published?.seq,
      )
      .map(({ key }) => key);
    return behind.length === 0 ? true : undefined;
  };
  await waitUntil("the fleet to run what is published", checkCurrent, patienceMs).catch(
    (error: unknown) => {
      if (!(error instanceof CannotTell)) throw error;
      throw new CannotTell(`${error.message}: ${behind.join(", ")} (see their agent.log)`);
    },
  );
  return readPublishedFleet(api);
}
