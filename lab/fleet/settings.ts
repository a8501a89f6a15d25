/** What both runtimes of the lab's control plane share: its settings, and what the story sees of it. */
import type { Api } from "./api.ts";

export interface ControlPlane {
  readonly url: string;
  readonly port: number;
  readonly tokenFile: string;
  readonly api: Api;
  close(): Promise<void>;
}

export const fleet = "lab";
/** The shortest that a control plane asks of its agents. */
export const pollSeconds = 5;
export const leaseSeconds = 86_400;
/** Only the standalone runtime has a timer that can be told. */
export const maintainSeconds = 5;
