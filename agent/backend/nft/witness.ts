/**
 * Who changed the kernel: which processes were ours, and whether anybody else may have been at our table since we loaded
 * it whole. Hears the kernel's transactions in their order from a watch (agent/observe). Decides only whether elements
 * alone may be sent; before it has heard a load of ours it vouches for nothing that is not listed.
 */

/** A process id of ours is not given to somebody else before this many others of ours. */
const ownKeptMax = 64;

export class Witness {
  #pids: readonly number[] = [];
  #listening = false;
  #disturbed = false;

  /** A process of ours was started: its transactions are no news. */
  noteStarted(pid: number): void {
    this.#pids = [...this.#pids, pid].slice(-ownKeptMax);
  }

  /** A transaction was heard. @returns whether it was ours; then the watch has listened since before that load */
  noteTransaction(pid: number, touchesOurs: boolean): boolean {
    const ours = this.#pids.includes(pid);
    if (ours) this.#listening = true;
    else if (touchesOurs) this.#disturbed = true;
    return ours;
  }

  /** The watch has ended. */
  noteUnwatched(): void {
    this.#listening = false;
  }

  /** A whole load begins: what was done before it no longer counts. What is heard of that later costs one more whole load. */
  begin(): void {
    this.#disturbed = false;
  }

  /** @param listed every element is listed after the load: then nobody need have listened */
  vouches(wasRead: boolean): boolean {
    return !this.#disturbed && (wasRead || this.#listening);
  }
}
