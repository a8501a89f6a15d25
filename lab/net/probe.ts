/**
 * Real packets between the lab's machines, through one prober process in each namespace: it asks, and it answers when
 * others ask. Knows nothing of rules, and believes no silence: a question is open when its answer came, shut when a
 * kernel on its way was seen to drop it or its answer, and otherwise it is asked on.
 */
import {
  type Drops,
  echoFlow,
  type Flow,
  openDrops,
  type Pending,
  portFlow,
  settle,
} from "./drops.ts";
import { makeNamespaces, makeNamespaceName } from "./netns.ts";
import { patienceMs } from "#lab/run/process.ts";
import { openProber, type Prober } from "./prober-process.ts";
import type { Ask, Question, ProberMessage } from "./prober.ts";
import type { LabState } from "./state.ts";

export type { Ask } from "./prober.ts";
export const families = ["v4", "v6"] as const;
export type LabFamily = (typeof families)[number];

export interface Place {
  readonly name: string;
  readonly namespace: string;
  readonly address: Readonly<Record<LabFamily, string>>;
}

/** One question: does what `from` asks of `to` come back? */
export interface Probe<P extends Place = Place> {
  readonly from: P;
  readonly to: P;
  readonly ask: Ask & { readonly text: string };
}

/** A question as people write it: `ping`, `tcp/443`, `udp/53`. @throws RangeError for anything else */
export function askOf(text: string): Probe["ask"] {
  if (text === "ping") return { protocol: "ping", text };
  const [, protocol, port] = /^(tcp|udp)\/([1-9]\d{0,4})$/.exec(text) ?? [];
  if (protocol !== "tcp" && protocol !== "udp") throw new RangeError(`not a question: ${text}`);
  return { protocol, port: Number(port), text };
}

export type Answered = Readonly<Record<LabFamily, boolean>>;

export interface Probers {
  /** Every place listens on what is asked, on all its addresses; what it listens on already is fine. */
  listen(asks: readonly Ask[]): Promise<void>;
  /**
   * For each probe, in order, the families in which it was answered; the others were seen to be dropped.
   * @throws CannotTell when for `patienceMs` a question was neither answered nor seen to be dropped
   */
  answers(probes: readonly Probe[]): Promise<readonly Answered[]>;
  close(): Promise<void>;
}

export interface ProberOptions {
  /** What the probers run under. */
  readonly env?: NodeJS.ProcessEnv;
  /** How long a batch of questions is asked on without any news. */
  readonly patienceMs?: number;
}

/** Starts a prober in each place. The rules that may drop must be in one of the places, or nobody sees it. */
export async function openProbers(
  places: readonly Place[],
  state: LabState,
  options: ProberOptions = {},
): Promise<Probers> {
  const idle = makeNamespaceName(state.prefix, "idle");
  state.willMake([idle]);
  await makeNamespaces([idle]);
  const drops = openDrops(
    places.map(({ namespace }) => namespace),
    idle,
  );
  const env = options.env ?? process.env;
  const opened = places.map((place) => ({
    place,
    prober: openProber(place.name, place.namespace, state, env),
  }));
  const probers = new Map(opened.map(({ place, prober }) => [place.name, prober]));
  const patience = options.patienceMs ?? patienceMs;
  return {
    listen: async (asks) => {
      await Promise.all(
        opened.map(({ place, prober }) => prober.listen(Object.values(place.address), asks)),
      );
    },
    answers: async (probes) => {
      const answered: Answered[] = [];
      for (let i = 0; i < probes.length; i += batchSize)
        answered.push(
          ...(await askBatch(probers, drops, probes.slice(i, i + batchSize), patience)),
        );
      return answered;
    },
    close: async () => {
      await Promise.all(opened.map(({ prober }) => prober.close()));
    },
  };
}

/** Probes asked at once, in both families: few enough for every queue on their way. */
const batchSize = 432;
/** One probe in one family, while it is asked. */
class Asked implements Pending {
  readonly probe: Probe;
  readonly family: LabFamily;
  outcome: "open" | "shut" | undefined;
  /** As which its packets may have been noted, there and back. */
  readonly flows: Flow[] = [];

  constructor(probe: Probe, family: LabFamily) {
    this.probe = probe;
    this.family = family;
  }

  get question(): Question {
    const { from, to, ask } = this.probe;
    return { ...ask, from: from.address[this.family], to: to.address[this.family] };
  }

  hear(said: ProberMessage): void {
    if (said.kind === "answered") this.outcome ??= "open";
    if (said.kind !== "sent") return;
    const { from, to, ...asked } = this.question;
    if (asked.protocol === "ping")
      this.flows.push(echoFlow("echo-request", from, to), echoFlow("echo-reply", to, from));
    else
      this.flows.push(
        portFlow(asked.protocol, from, said.sourcePort, to, asked.port),
        portFlow(asked.protocol, to, asked.port, from, said.sourcePort),
      );
  }

  get known(): boolean {
    return this.outcome !== undefined;
  }

  markDropped(): void {
    this.outcome ??= "shut";
  }

  get text(): string {
    const { from, to, ask } = this.probe;
    return `${from.name} to ${to.name} ${ask.text} ${this.family}`;
  }
}

async function askBatch(
  probers: ReadonlyMap<string, Prober>,
  drops: Drops,
  probes: readonly Probe[],
  patience: number,
): Promise<readonly Answered[]> {
  await drops.forget();
  const asked = probes.map((probe) => ({
    v4: new Asked(probe, "v4"),
    v6: new Asked(probe, "v6"),
  }));
  const all = asked.flatMap(({ v4, v6 }) => [v4, v6]);
  const askers = [...Map.groupBy(all, ({ probe }) => probe.from.name)].map(([name, own]) => {
    const prober = probers.get(name);
    if (prober === undefined) throw new RangeError(`no prober in ${name}`);
    prober.ask(
      own.map(({ question }) => question),
      (said) => "question" in said && own[said.question]?.hear(said),
    );
    return prober;
  });
  try {
    const assertSound = (): void => probers.forEach((prober) => prober.assertSound());
    await settle(drops, all, { assertSound, patienceMs: patience });
  } finally {
    await Promise.all(askers.map((prober) => prober.end()));
  }
  return asked.map(({ v4, v6 }) => ({ v4: v4.outcome === "open", v6: v6.outcome === "open" }));
}
