/**
 * What is asked of every pair of machines: each port that the catalog names anywhere, one port of each protocol that it
 * does not, and ping. Written by hand like the expectation.
 */
import { askOf, type Place, type Probe } from "#lab/net/probe.ts";

const catalogued = [
  "tcp/22",
  "tcp/53",
  "tcp/443",
  "tcp/2342",
  "tcp/8000",
  "tcp/8443",
  "tcp/9100",
  "udp/53",
  "udp/51820",
] as const;

/** In no catalog, so shut on every host. */
const uncatalogued = ["tcp/4711", "udp/4711"] as const;

export const asks: readonly Probe["ask"][] = ["ping", ...catalogued, ...uncatalogued].map(askOf);

/** Every ordered pair of different machines, and every question of each; by whom it is asked of. */
export const everyProbe = <P extends Place>(places: readonly P[]): readonly Probe<P>[] =>
  places.flatMap((to) =>
    asks.flatMap((ask) => places.filter((from) => from !== to).map((from) => ({ from, to, ask }))),
  );
