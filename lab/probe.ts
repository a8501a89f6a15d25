/** Real packets: a ping from one namespace to an address of another. Knows nothing of rules. */
import { run } from "./process.ts";

export const families = ["v4", "v6"] as const;
export type LabFamily = (typeof families)[number];

export interface Place {
  readonly name: string;
  readonly namespace: string;
  readonly address: Readonly<Record<LabFamily, string>>;
}

/**
 * Whether an echo comes back: one of two requests is enough, so that a busy machine does not look like a firewall.
 * @throws Error when ping itself fails (no route, no such namespace): that is a broken lab, not a verdict
 */
export async function reaches(from: Place, to: Place, family: LabFamily): Promise<boolean> {
  const ping = ["ping", "-n", "-q", "-c", "2", "-i", "0.2", "-W", "1", to.address[family]];
  const { code, stderr } = await run(["ip", "netns", "exec", from.namespace, ...ping]);
  if (code === 0 || code === 1) return code === 0;
  throw new Error(`ping ${from.name} to ${to.name}: ${stderr.trim()}`);
}
