/**
 * Network namespaces of our own, named by a random prefix, so that nothing here can touch the machine's network or
 * another lab's. Fast: everything goes through `ip -batch`. Must never name a namespace without its prefix.
 */
import { randomBytes } from "node:crypto";
import { must, run } from "#lab/run/process.ts";

/** `pc` and eight random hex digits; every namespace of one lab begins with it. */
export const newPrefix = (): string => `pc${randomBytes(4).toString("hex")}`;

/** @param label 1–12 lower-case letters and digits */
export function makeNamespaceName(prefix: string, label: string): string {
  const name = `${prefix}-${label}`;
  if (!/^pc[0-9a-f]{8}-[a-z0-9]{1,12}$/.test(name))
    throw new RangeError(`not a namespace of a lab: ${JSON.stringify(name)}`);
  return name;
}

/** Runs a program inside a namespace. */
export const inNamespace = (namespace: string, ...argv: readonly string[]): readonly string[] => [
  "ip",
  "netns",
  "exec",
  namespace,
  ...argv,
];

/**
 * Runs `ip` commands, one a line; all of them or an error that names the first that failed.
 * @param family what the commands mean where no address says it: without it `rule add from ::/0` is an IPv4 rule
 */
export async function runIpBatch(
  namespace: string | null,
  lines: readonly string[],
  family: "v4" | "v6" = "v4",
): Promise<void> {
  if (lines.length === 0) return;
  const inside = namespace === null ? [] : ["-n", namespace];
  const families = family === "v6" ? ["-6"] : [];
  await must(["ip", ...families, ...inside, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

/** Makes namespaces with loopback up. */
export async function makeNamespaces(names: readonly string[]): Promise<void> {
  await runIpBatch(
    null,
    names.map((name) => `netns add ${name}`),
  );
  await Promise.all(names.map((name) => runIpBatch(name, ["link set lo up"])));
}

/** Removes namespaces; one that is gone already is fine. The kernel frees their devices a little later. */
export async function removeNamespaces(names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const input = names.map((name) => `netns del ${name}\n`).join("");
  await run(["ip", "-force", "-batch", "-"], { input });
}

/** Sets switches under `/proc/sys/net` of a namespace, given as `ipv4/ip_forward`. */
export async function setSwitches(
  namespace: string,
  value: 0 | 1,
  switches: readonly string[],
): Promise<void> {
  const files = switches.map((name) => `/proc/sys/net/${name}`);
  await must(inNamespace(namespace, "tee", ...files), { input: `${value}\n` });
}

/** One end of a cable: addresses with prefix lengths, such as `192.0.2.1/24`. */
export interface CableEnd {
  readonly namespace: string;
  readonly device: string;
  readonly addresses: readonly string[];
}

/** Joins two namespaces by a veth pair. Addresses are usable at once: duplicate detection is off (RFC 4862 §5.4). */
export async function joinByCable(a: CableEnd, b: CableEnd): Promise<void> {
  const link = `link add ${a.device} netns ${a.namespace} type veth peer name ${b.device} netns ${b.namespace}`;
  await runIpBatch(null, [link]);
  await Promise.all(
    [a, b].map((end) =>
      runIpBatch(end.namespace, [
        ...end.addresses.map((address) => addAddress(address, end.device)),
        `link set ${end.device} up`,
      ]),
    ),
  );
}

/** The `ip` command that gives a device an address. */
export const addAddress = (address: string, device: string): string =>
  `address add ${address} dev ${device}${address.includes(":") ? " nodad" : ""}`;
