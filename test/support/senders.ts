/**
 * Sends packets from namespaces: ICMP echo by ping, TCP and UDP by one sender process for each namespace. A packet of
 * another protocol leaves its sender as UDP and is disguised by that namespace's own nftables.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { inNamespace } from "#lab/net/netns.ts";
import { run } from "#lab/run/process.ts";
import type { Packet } from "#core/simulate/index.ts";

export interface Senders {
  /** Resolves when the packet has gone. @throws RangeError for a packet that it cannot make */
  send(namespace: string, packet: Packet): Promise<void>;
  close(): Promise<void>;
}

interface Sender {
  readonly child: ChildProcess;
  readonly lines: Interface;
  /** Resolves when the packet before has gone: a sender sends one at a time. */
  last: Promise<unknown>;
}

/** UDP to this port becomes protocol 253, which is for experiments (RFC 3692), where `disguise` is loaded. */
const disguised = 65_253;
export const otherProtocol = 253;

/** For a namespace that sends packets of another protocol: node has no raw sockets. Before all that judges or counts. */
export const disguise = `table inet disguise {
\tchain output {
\t\ttype filter hook output priority -400; policy accept;
\t\tmeta nfproto ipv4 udp dport ${disguised} ip protocol set ${otherProtocol}
\t\tmeta nfproto ipv6 udp dport ${disguised} ip6 nexthdr set ${otherProtocol}
\t}
}
`;

const program = fileURLToPath(new URL("./sender.ts", import.meta.url));

export function openSenders(): Senders {
  const senders = new Map<string, Sender>();
  const senderIn = (namespace: string): Sender => {
    const known = senders.get(namespace);
    if (known !== undefined) return known;
    const [command = "", ...args] = inNamespace(namespace, process.execPath, program);
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    const sender = {
      child,
      lines: createInterface({ input: child.stdout }),
      last: Promise.resolve(),
    };
    senders.set(namespace, sender);
    return sender;
  };
  return {
    send: async (namespace, packet) => {
      if (packet.protocol === "icmp") return ping(namespace, packet);
      // It would end at the first hop; test/kernel/always.test.ts has real ones.
      if (packet.protocol === "igmp") throw new RangeError("IGMP cannot be sent through a hub");
      if (packet.protocol === "sctp" || packet.protocol === "ip" || packet.protocol === "arp")
        throw new RangeError(`${packet.protocol} is not sent here`);
      const {
        protocol,
        port,
        sourcePort = 0,
      } = packet.protocol === "other" ? ({ protocol: "udp", port: disguised } as const) : packet;
      const sender = senderIn(namespace);
      const words = [protocol, packet.source, packet.destination, port, sourcePort];
      const gone = sender.last.then(() => {
        sender.child.stdin?.write(`${words.join(" ")}\n`);
        return once(sender.lines, "line");
      });
      sender.last = gone;
      await gone;
    },
    close: async () => {
      await Promise.all(
        [...senders.values()].map(async ({ child }) => {
          const ended = once(child, "exit");
          child.stdin?.end();
          await ended;
        }),
      );
    },
  };
}

/** One echo request; nobody answers, so it does not wait for long. */
async function ping(namespace: string, packet: Packet): Promise<void> {
  const echo = packet.source.includes(":") ? 128 : 8;
  if (packet.protocol !== "icmp" || packet.icmpType !== echo)
    throw new RangeError("only an echo request can be sent");
  const argv = [
    "ping",
    "-n",
    "-q",
    "-c",
    "1",
    "-W",
    "0.1",
    "-I",
    packet.source,
    packet.destination,
  ];
  const { code, stderr } = await run(inNamespace(namespace, ...argv));
  if (code !== 0 && code !== 1) throw new Error(`ping: ${stderr.trim()}`);
}
