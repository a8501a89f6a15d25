/**
 * What a host's allowlist costs a packet that it lets in, however many services it has, beside the same rules as one
 * linear chain in the same run. Figures are nanoseconds over a chain that accepts at once; only ratios are promised.
 */
import { fileURLToPath } from "node:url";
import * as z from "zod";
import {
  inNamespace,
  joinByCable,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import type { Row } from "./apply.ts";
import { asChain, asRendered, copies } from "./packet-rules.ts";

const flood = fileURLToPath(new URL("./packet-flood.ts", import.meta.url));
const packets = 1000;
const rounds = 15;

const variants = {
  base: (sender) => asChain(0, sender),
  ours10: (sender) => asRendered(10, sender),
  ours100: (sender) => asRendered(100, sender),
  ours1000: (sender) => asRendered(1000, sender),
  chain10: (sender) => asChain(10, sender),
  chain100: (sender) => asChain(100, sender),
  chain1000: (sender) => asChain(1000, sender),
} as const satisfies Record<string, (sender: string) => string>;
type Variant = keyof typeof variants;
const names = Object.keys(variants) as readonly Variant[];

/** Ratios are to be at most their goal. */
export async function bench(): Promise<readonly Row[]> {
  const prefix = newPrefix();
  const sender = makeNamespaceName(prefix, "sender");
  const receivers = names.map((name) => makeNamespaceName(prefix, name.toLowerCase()));
  await makeNamespaces([sender, ...receivers]);
  try {
    await Promise.all(receivers.map((receiver, i) => join(sender, receiver, i)));
    for (const [i, name] of names.entries())
      await load(receivers[i] ?? "", variants[name](`10.99.${i}.1`));
    const argv = inNamespace(sender, process.execPath, flood, `${packets}`, `${rounds}`);
    const targets = names.map((_, i) => `10.99.${i}.2`);
    const seconds = z
      .array(z.array(z.number()))
      .parse(JSON.parse(await must([...argv, ...targets], { timeoutMs: 240_000 })));
    await expectReceived(receivers);
    return rows(new Map(names.map((name, i) => [name, lowerQuartile(seconds[i] ?? [])])));
  } finally {
    await removeNamespaces([sender, ...receivers]);
  }
}

const join = (sender: string, receiver: string, i: number): Promise<void> =>
  joinByCable(
    { namespace: sender, device: `v${i}`, addresses: [`10.99.${i}.1/24`] },
    { namespace: receiver, device: "eth0", addresses: [`10.99.${i}.2/24`] },
  );

const load = async (namespace: string, text: string): Promise<void> => {
  await must(inNamespace(namespace, "nft", "-f", "-"), { input: text, timeoutMs: 120_000 });
};

/** A packet that some copy dropped would have cost less: each must have come through all. */
async function expectReceived(receivers: readonly string[]): Promise<void> {
  for (const receiver of receivers) {
    const text = await must(inNamespace(receiver, "nft", "list", "chain", "inet", "sink", "input"));
    const count = Number(/packets (\d+)/.exec(text)?.[1] ?? 0);
    if (count < packets * rounds) throw new Error(`${count} packets passed in ${receiver}`);
  }
}

/** Other programs only ever add time, so the quicker rounds say more than the mean. */
function lowerQuartile(seconds: readonly number[]): number {
  const sorted = seconds.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 4)] ?? 0;
}

function rows(seconds: ReadonlyMap<Variant, number>): readonly Row[] {
  const cost = (name: Variant): number =>
    (((seconds.get(name) ?? 0) - (seconds.get("base") ?? 0)) / packets / copies) * 1e9;
  const row = (name: string, ours: Variant, floor: Variant, goal: number | null): Row => ({
    name: `a packet's way through ${name}, ns`,
    value: cost(ours),
    floor: cost(floor),
    ratio: cost(ours) / cost(floor),
    goal,
  });
  return [
    row("100 services beside 10", "ours100", "ours10", 1.5),
    row("1000 services beside 10", "ours1000", "ours10", 1.5),
    row("10 services beside a linear chain", "ours10", "chain10", null),
    row("100 services beside a linear chain", "ours100", "chain100", 0.5),
    row("1000 services beside a linear chain", "ours1000", "chain1000", 0.1),
  ];
}
