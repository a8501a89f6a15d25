/**
 * An agent as a rollout sees it: it polls, takes what is newer, puts itself back when the new content breaks it, and
 * reports on each transition and every hour, or as often as the answer to its last report asks it to. What was not
 * answered is said again with the next poll, in a report of its own, as the real one does.
 */
import type { Evidence } from "#core/rollout/index.ts";

export type Content = "old" | "new";
export interface Published {
  readonly seq: number;
  readonly content: Content;
}
/** One report; `n` only rises, and a control plane keeps the highest. */
export interface Report extends Evidence {
  readonly n: number;
  readonly applied: Published;
}

const reportEveryMs = 3_600_000;

export class Agent {
  readonly host: string;
  /** The new content cuts this host off: it takes itself back. */
  readonly poisoned: boolean;
  applied: Published = { seq: 1, content: "old" };
  /** It had the new content in its kernel, for however long. */
  tookNew = false;
  #seen = 1;
  #state: Report["state"] = "steady";
  #n = 1;
  #due = false;
  #reportedAt: number;
  #everyMs = reportEveryMs;

  constructor(host: string, poisoned: boolean, now: number) {
    this.host = host;
    this.poisoned = poisoned;
    this.#reportedAt = now;
  }

  /** A report when there is one to send; the caller says by `acknowledge` that it was answered. */
  poll(published: Published, now: number): Report | undefined {
    if (published.seq > this.#seen) this.#take(published);
    if (now - this.#reportedAt >= this.#everyMs) this.#due = true;
    if (!this.#due) return undefined;
    this.#n += 1;
    return this.#report(now);
  }

  /**
   * The answer to report `n`. One to a report that it gave up on says nothing any more.
   * @param nextSeconds until the next report that the control plane would like, or null
   */
  acknowledge(n: number, now: number, nextSeconds: number | null): void {
    if (n !== this.#n) return;
    this.#due = false;
    this.#everyMs = nextSeconds === null ? reportEveryMs : nextSeconds * 1000;
    this.#reportedAt = now;
  }

  #take(published: Published): void {
    this.#seen = published.seq;
    const loads = published.content !== this.applied.content;
    this.tookNew ||= published.content === "new";
    if (loads && this.poisoned && published.content === "new") this.#state = "reverted";
    else {
      this.applied = published;
      this.#state = "steady";
    }
    this.#due = true;
  }

  #report(now: number): Report {
    return {
      host: this.host,
      n: this.#n,
      receivedAt: now,
      state: this.#state,
      appliedMode: "enforce",
      applied: this.applied,
      appliedSeq: this.applied.seq,
      seenSeq: this.#seen,
      revertedSeq: this.#state === "reverted" ? this.#seen : null,
      refusal: null,
      drift: 0,
      denyRate: 0,
      suspectedClone: false,
      heartbeats: true,
    };
  }
}
