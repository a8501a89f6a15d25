/**
 * Looks what listens beside the ruleset, by agent/observe/services.ts: once a minute and when the rules changed, as the
 * kernel goes through all its buckets to print a short table, some milliseconds each time. Processes are looked up only
 * for a socket that was not there the time before. A port that comes and goes between two looks is reported with the next
 * report and makes none due by itself.
 */
import type { Listening } from "#schema/wire.ts";
import type { Rules } from "#agent/flows/flows.ts";
import { isErrno } from "#agent/disk/files.ts";
import { type Listener, processNames } from "./listeners.ts";
import { describeListening, findUnmatched } from "./services.ts";

/** Between two looks under the same rules. */
const betweenSeconds = 60;

export class ServiceWatch {
  readonly #listeners: () => readonly Listener[];
  readonly #log: (line: string) => void;
  #found: Listening | null = null;
  #before = "null";
  #reported = "null";
  /** Processes by inode, of sockets that were looked up; empty where nobody could say. */
  #names: ReadonlyMap<number, string | undefined> = new Map();
  #failure = "";
  #rules: Rules | undefined;
  #at = 0;

  /** @param listeners of the network namespace that the rules are for */
  constructor(listeners: () => readonly Listener[], log: (line: string) => void) {
    this.#listeners = listeners;
    this.#log = log;
  }

  /** Null where there is nothing to compare with, or /proc cannot be read. */
  get found(): Listening | null {
    return this.#found;
  }

  /** Whether something else than what was reported stood at the last two looks. */
  get isNews(): boolean {
    const now = JSON.stringify(this.#found);
    return now === this.#before && now !== this.#reported;
  }

  /** @param reported what a report carried that arrived */
  noteReported(reported: Listening | null): void {
    this.#reported = JSON.stringify(reported);
  }

  /** @param rules what the committed ruleset means; undefined while that is not known. @param at Unix seconds */
  async readServices(rules: Rules | undefined, at: number): Promise<void> {
    // A clock that was set back is no reason to wait.
    if (rules === this.#rules && this.#at <= at && at < this.#at + betweenSeconds) return;
    this.#rules = rules;
    this.#at = at;
    this.#before = JSON.stringify(this.#found);
    try {
      this.#found = rules === undefined ? null : await this.#compared(rules, at);
      this.#failure = "";
    } catch (error) {
      if (!isErrno(error)) throw error;
      this.#found = null;
      if (this.#failure !== error.message)
        this.#log(`cannot tell what listens here: ${error.message}`);
      this.#failure = error.message;
    }
  }

  async #compared(rules: Rules, at: number): Promise<Listening | null> {
    const all = findUnmatched(this.#listeners(), rules, at);
    if (all === undefined) return null;
    const inodes = all.undeclared.flat().map(({ inode }) => inode);
    const fresh = await processNames(
      new Set(inodes.filter((inode) => inode > 0 && !this.#names.has(inode))),
    );
    this.#names = new Map(
      inodes.map((inode) => [inode, fresh.get(inode) ?? this.#names.get(inode)]),
    );
    return describeListening(all, this.#known());
  }

  #known(): ReadonlyMap<number, string> {
    return new Map(
      [...this.#names].flatMap(([inode, name]) => (name === undefined ? [] : [[inode, name]])),
    );
  }
}
