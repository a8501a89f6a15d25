/**
 * What a ruleset opens on the host itself to everybody. Counts only what its rules accept, in any order: a rule that a
 * drop above makes moot counts as well, because a guard that reasons like a simulator can be argued with.
 *
 * One sweep over the ports at which rules begin and end; what it costs is bounded by the size of the ruleset, and where
 * an exact answer would cost more it is the wider one.
 */
import { compareText } from "#schema/order.ts";
import { dhcpPorts, type Protocol, type Rule, type Ruleset } from "#schema/ruleset.ts";
import { type Crowd, crowdOf, everybody, isEverybody, isMost, networkCount } from "./crowd.ts";

type Transport = "tcp" | "udp";
const transports: readonly Transport[] = ["tcp", "udp"];
const portMax = 65_535;

/** Ports from `from` to `to`, both inclusive. */
export interface OpenPorts {
  readonly transport: Transport;
  readonly from: number;
  readonly to: number;
  /** Open to everybody; false where only one wide network gets in. */
  readonly toAll: boolean;
}

export interface Exposure {
  /** tcp before udp, ports ascending, no port twice in one transport; wide ones among them. */
  readonly open: readonly OpenPorts[];
  /** Rows that open one of these ports, sorted; none that add nothing to it. */
  readonly rowsOf: (ports: readonly OpenPorts[]) => readonly string[];
}

interface Span {
  readonly transport: Transport;
  readonly from: number;
  readonly to: number;
  readonly source: string;
  readonly row: string;
}

/** How many networks are read one by one, and how many ranges joined, for one ruleset. */
const networksMax = 262_144;
const rangesMax = 2_097_152;

export function exposureOf(ruleset: Ruleset): Exposure {
  const opening = ruleset.rules.filter(
    // Established traffic was begun by this host; a rule for it opens nothing.
    ({ scope, direction, verdict, state }) =>
      scope === "host" && direction === "in" && verdict === "accept" && state !== "established",
  );
  const crowds = crowdsOf(ruleset, opening);
  const spans = opening.flatMap((rule) => {
    const [source, { row }] = [sourceOf(rule), rule];
    return transports.flatMap((transport) =>
      rangesIn(rule.protocol, transport).map(({ from, to }): Span => ({
        transport,
        from,
        to,
        source,
        row,
      })),
    );
  });
  const open = transports.flatMap((transport) =>
    findOpenPorts(
      transport,
      spans.filter((span) => span.transport === transport),
      crowds,
    ),
  );
  return { open, rowsOf: (ports) => findOpeningRows(spans, crowds, ports) };
}

const sourceOf = ({ source }: Rule): string => {
  switch (source.kind) {
    case "any":
      return "any";
    case "set":
    case "set-except":
      return `set ${source.set}`;
    case "class":
      return `class ${source.map} ${source.class}`;
    // Of denies and vNICs alone; counted at its widest where it stands.
    case "not-set":
    case "own":
      return "any";
  }
};

type Crowds = ReadonlyMap<string, Crowd>;

function crowdsOf({ sets, classes }: Ruleset, rules: readonly Rule[]): Crowds {
  const wanted = new Set(rules.map(sourceOf));
  const crowds = new Map<string, Crowd>([["any", everybody]]);
  let left = networksMax;
  for (const { name, elements } of sets) {
    if (!wanted.has(`set ${name}`)) continue;
    const networks = networkCount(elements);
    crowds.set(`set ${name}`, crowdOf(elements, left));
    left -= Math.min(left, networks);
  }
  const elements = new Map(sets.map((set) => [set.name, set.elements]));
  for (const map of classes)
    for (const { name, set } of map.classes) {
      const id = `class ${map.name} ${name}`;
      if (wanted.has(id)) crowds.set(id, crowdOf(elements.get(set) ?? [], 0));
    }
  return crowds;
}

function rangesIn(
  protocol: Protocol,
  transport: Transport,
): readonly { readonly from: number; readonly to: number }[] {
  switch (protocol.kind) {
    case "any":
      return [{ from: 1, to: portMax }];
    case "tcp":
    case "udp":
    case "sctp":
      if (protocol.kind !== transport) return [];
      return protocol.ports.kind === "any" ? [{ from: 1, to: portMax }] : protocol.ports.ranges;
    case "dhcp":
      return transport === "udp" ? dhcpRanges : [];
    case "icmp":
    case "ip":
    case "arp":
    case "nd":
      return [];
  }
}

/** DHCP of either side, in both families. */
const dhcpRanges = Object.values(dhcpPorts)
  .flatMap((sides) => Object.values(sides))
  .map((port) => ({ from: port, to: port }));

const nobody: Crowd = { everybody: false, wide: false, share: { v4: 0, v6: 0 }, spans: null };

/** Those who may be everybody together, and whose rules hold at one port while the sweep goes on. */
class Active {
  readonly #crowds: Crowds;
  readonly #counts = new Map<string, number>();
  readonly #share = { v4: 0, v6: 0 };
  #rangesLeft = rangesMax;
  #together: boolean | undefined;

  constructor(crowds: Crowds) {
    this.#crowds = crowds;
  }

  enter(source: string): void {
    const count = this.#counts.get(source) ?? 0;
    this.#counts.set(source, count + 1);
    if (count === 0) this.#add(source, 1);
  }

  leave(source: string): void {
    const count = this.#counts.get(source) ?? 0;
    if (count > 1) this.#counts.set(source, count - 1);
    else {
      this.#counts.delete(source);
      this.#add(source, -1);
    }
  }

  #add(source: string, sign: 1 | -1): void {
    const crowd = this.#crowds.get(source) ?? nobody;
    this.#share.v4 += sign * crowd.share.v4;
    this.#share.v6 += sign * crowd.share.v6;
    this.#together = undefined;
  }

  /** Shares are summed first, as if nobody were named twice; only where that is enough they are joined. */
  get toAll(): boolean {
    if (!isMost(this.#share)) return false;
    this.#together ??= this.#join();
    return this.#together;
  }

  #join(): boolean {
    const crowds = [...this.#counts.keys()].map((source) => this.#crowds.get(source) ?? nobody);
    this.#rangesLeft -= crowds.reduce((sum, { spans }) => sum + 1 + sizeOf(spans), 0);
    return this.#rangesLeft < 0 || isEverybody(crowds);
  }
}

const sizeOf = (spans: Crowd["spans"]): number =>
  spans === null ? 0 : (spans.v4.length + spans.v6.length) / 2;

function findOpenPorts(
  transport: Transport,
  spans: readonly Span[],
  crowds: Crowds,
): readonly OpenPorts[] {
  if (spans.length === 0) return [];
  const isAll = ({ source }: Span): boolean => crowds.get(source)?.everybody === true;
  const inAll = changesOf(spans.filter(isAll));
  const inWide = changesOf(spans.filter(({ source }) => crowds.get(source)?.wide === true));
  const others = spans.filter((span) => !isAll(span));
  const begin = Map.groupBy(others, ({ from }) => from);
  const end = Map.groupBy(others, ({ to }) => to + 1);
  // Between two edges every port is open to the same sources, so one answer does for all of them.
  const edges = Int32Array.from(new Set(spans.flatMap(({ from, to }) => [from, to + 1]))).sort();
  const active = new Active(crowds);
  const open: OpenPorts[] = [];
  let [all, wide] = [0, 0];
  for (const [i, from] of edges.entries()) {
    all += inAll[from] ?? 0;
    wide += inWide[from] ?? 0;
    for (const { source } of begin.get(from) ?? []) active.enter(source);
    for (const { source } of end.get(from) ?? []) active.leave(source);
    const to = (edges[i + 1] ?? from) - 1;
    const toAll = all > 0 || active.toAll;
    if (to >= from && (toAll || wide > 0)) open.push({ transport, from, to, toAll });
  }
  return open;
}

/**
 * Where one source alone is enough, the rows that let that one in; elsewhere all that let somebody in who can send.
 * Ports are counted up to each port, so that a row costs two look-ups however many ports there are.
 */
function findOpeningRows(
  spans: readonly Span[],
  crowds: Crowds,
  ports: readonly OpenPorts[],
): readonly string[] {
  const rows = new Set<string>();
  for (const transport of transports) {
    const own = spans.filter((span) => span.transport === transport);
    const wanted = countUpTo(ports.filter((open) => open.transport === transport));
    const alone = own.filter(({ source }) => isEnough(crowds.get(source)));
    const byAlone = countUpTo(alone);
    const holds = (
      count: Uint32Array,
      { from, to }: { readonly from: number; readonly to: number },
    ): number => (count[to] ?? 0) - (count[from - 1] ?? 0);
    const together = countUpTo(
      ports.filter((open) => open.transport === transport && holds(byAlone, open) === 0),
    );
    for (const span of own) {
      const crowd = crowds.get(span.source) ?? nobody;
      const counts = isEnough(crowd) ? wanted : together;
      if (holds(counts, span) > 0 && (crowd.share.v4 > 0 || crowd.share.v6 > 0)) rows.add(span.row);
    }
  }
  return [...rows].sort(compareText);
}

const isEnough = (crowd: Crowd | undefined): boolean =>
  crowd?.everybody === true || crowd?.wide === true;

/** For each port how many of the spans' ports are at or below it. */
function countUpTo(
  spans: readonly { readonly from: number; readonly to: number }[],
): Uint32Array<ArrayBuffer> {
  const change = changesOf(spans);
  const counts = new Uint32Array(portMax + 1);
  let covered = 0;
  for (let port = 1; port <= portMax; port += 1) {
    covered += change[port] ?? 0;
    counts[port] = (counts[port - 1] ?? 0) + (covered > 0 ? 1 : 0);
  }
  return counts;
}

/** For each port how many of the spans begin there, less those that ended at the one before. */
function changesOf(
  spans: readonly { readonly from: number; readonly to: number }[],
): Int32Array<ArrayBuffer> {
  const change = new Int32Array(portMax + 2);
  for (const { from, to } of spans) {
    change[from] = (change[from] ?? 0) + 1;
    change[to + 1] = (change[to + 1] ?? 0) - 1;
  }
  return change;
}
