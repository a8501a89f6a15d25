/**
 * Who reaches whom, written by hand from what the catalog says, before any rule was made from it. Deliberately knows
 * nothing of the compiler or of `simulate`: it is what both are judged by. What is not listed is shut.
 */
import type { Probe } from "#lab/net/probe.ts";

export type Stage = "as declared" | "carol develops" | "carol develops, the laptop opens albums";

/** Destination and what is asked of it, to who reaches it, in both families. `*` is everything that the lab asks. */
type Reaching = Readonly<Record<string, string>>;

const declared: Reaching = {
  "gw ping": "alice bob carol proxy1 photos1 laptop1 vault1 stranger",
  "gw udp/51820": "alice bob carol proxy1 photos1 laptop1 vault1 stranger",
  "gw tcp/53": "alice bob",
  "gw udp/53": "alice bob",
  "proxy1 ping": "gw photos1 laptop1 vault1 stranger",
  "proxy1 tcp/443": "gw photos1 laptop1",
  "proxy1 tcp/8443": "gw photos1 laptop1 vault1 stranger",
  "photos1 ping": "gw proxy1 laptop1 vault1 stranger",
  "photos1 tcp/2342": "proxy1",
  "photos1 tcp/22": "vault1",
  "laptop1 ping": "gw proxy1 photos1 vault1 stranger",
  "vault1 ping": "gw proxy1 photos1 laptop1 stranger",
  "vault1 tcp/8000": "photos1",
  // These run no agent: only the gateway, on the way, stands between them and others.
  "alice *": "gw bob",
  "bob *": "gw alice",
  "carol *": "gw",
  "stranger *": "gw proxy1 photos1 laptop1 vault1",
};

const carolDevelops: Reaching = {
  ...declared,
  "gw tcp/53": "alice bob carol",
  "gw udp/53": "alice bob carol",
  "alice *": "gw bob carol",
  "bob *": "gw alice carol",
  "carol *": "gw alice bob",
};

const reaching: Readonly<Record<Stage, Reaching>> = {
  "as declared": declared,
  "carol develops": carolDevelops,
  "carol develops, the laptop opens albums": {
    ...carolDevelops,
    "photos1 tcp/2342": "proxy1 laptop1",
  },
};

/** What has to come of one probe. */
export function findExpectedVerdict(stage: Stage, { from, to, ask }: Probe): "accept" | "drop" {
  const reached = reaching[stage];
  const sources = reached[`${to.name} *`] ?? reached[`${to.name} ${ask.text}`] ?? "";
  return sources.split(" ").includes(from.name) ? "accept" : "drop";
}
