/**
 * What is loaded for the bench of a packet: an allowlist as the renderer makes it, and the same rules as one chain.
 * Each stands many times over, in tables of their own, because an accept ends one table only: a packet that is let in
 * pays for every copy, and what a copy costs is no longer lost in the noise of sending.
 */
import { emptyInventory, transaction } from "#core/render/index.ts";
import type { NamedSet, Rule } from "#schema/ruleset.ts";
import { mustRender, ruleOf, rulesetOf } from "#test/support/rulesets.ts";

export const copies = 16;
/** Of the last two services, one for hosts and one for networks; the packets' destination ports. */
export const ports = [30_000, 30_001] as const;
/** The sender's address is the last of each set. */
const sources = 10;

const setOf = (kind: "hosts" | "networks", sender: string): NamedSet => ({
  name: kind,
  kind,
  elements: [
    ...Array.from({ length: sources - 1 }, (_, i) =>
      kind === "hosts" ? `10.1.0.${i}` : `10.1.${i}.0/24`,
    ),
    kind === "hosts" ? sender : `${sender}/32`,
  ],
});

function serviceRules(services: number): readonly Rule[] {
  const rule = (i: number, set: string): Rule =>
    ruleOf({
      scope: "host",
      direction: "in",
      verdict: "accept",
      counter: `r_${i}`,
      source: { kind: "set", set },
      protocol: {
        kind: "udp",
        ports: {
          kind: "ranges",
          ranges: [{ from: ports[1] + 1 - services + i, to: ports[1] + 1 - services + i }],
        },
        sourcePorts: { kind: "any" },
      },
    });
  const all = Array.from({ length: services }, (_, i) =>
    rule(i, i % 2 === 0 ? "hosts" : "networks"),
  );
  const of = (set: string) =>
    all.filter(({ source }) => source.kind === "set" && source.set === set);
  return [...of("hosts"), ...of("networks")];
}

const copied = (text: string): string =>
  Array.from({ length: copies }, (_, i) =>
    text.replaceAll("inet portcullis", `inet copy_${i}`),
  ).join("");

const sink = `table inet sink {
\tchain input {
\t\ttype filter hook input priority 300; policy accept;
\t\tmeta l4proto udp counter drop
\t}
}
`;

/** nft text: the allowlist as the agent loads it. */
export function asRendered(services: number, sender: string): string {
  const sets = [setOf("hosts", sender), setOf("networks", sender)];
  const rules = [...serviceRules(services)];
  const program = mustRender(rulesetOf({ scopes: [{ kind: "host" }], sets, rules }));
  return copied(transaction(program, emptyInventory)) + sink;
}

/** nft text: the same chain with one line for each service; with none, one line that lets every packet in. */
export function asChain(services: number, sender: string): string {
  const rules = services === 0 ? ["accept"] : serviceRules(services).map(chainLine);
  const set = (kind: "hosts" | "networks"): string =>
    `\tset ${kind === "hosts" ? "s_hosts" : "s_networks"} {\n\t\ttype ipv4_addr\n${
      kind === "networks" ? "\t\tflags interval\n" : ""
    }\t\telements = { ${setOf(kind, sender).elements.join(", ")} }\n\t}\n`;
  const counters = Array.from({ length: services }, (_, i) => `\tcounter r_${i} {\n\t}\n`);
  return copied(`table inet portcullis {
${counters.join("")}${set("hosts")}${set("networks")}\tchain input {
\t\ttype filter hook input priority -10; policy drop;
${[...prelude(), ...rules].map((rule) => `\t\t${rule}\n`).join("")}\t\tdrop
\t}
}
`).concat(sink);
}

function chainLine({ source, protocol, counter }: Rule): string {
  if (source.kind !== "set" || protocol.kind !== "udp" || protocol.ports.kind !== "ranges")
    throw new Error("expected a service");
  return `ip saddr @s_${source.set} udp dport ${protocol.ports.ranges[0]?.from} counter name "${counter}" accept`;
}

/** What the rendered chain has before its rules, so that both pay for it. */
function prelude(): readonly string[] {
  const { chains } = mustRender(rulesetOf({ scopes: [{ kind: "host" }] }));
  const input = chains.find(({ name }) => name === "input")?.lines ?? [];
  return input.slice(0, -2).map(({ text }) => text);
}
