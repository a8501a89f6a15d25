/**
 * A host on its way up: a state directory, what lies beside its guard file, and a kernel that holds nothing of ours.
 * Each ruleset that it commits says which it is.
 */
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programSha256 } from "#agent/disk/digest.ts";
import { keepClosed, keepMark } from "#agent/cycle/fallback.ts";
import { commitSlot, type SlotName, stageSlot } from "#agent/disk/slots.ts";
import {
  inNamespace,
  makeNamespaces,
  makeNamespaceName,
  newPrefix,
  removeNamespaces,
} from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import { rendererVersion } from "#core/render/index.ts";
import { restoring } from "#test/support/restoring.ts";
import { groupsRuleset, mustRender, testGuard } from "#test/support/rulesets.ts";

/** Root without its powers over files, as the boot units have it. */
const unprivileged = ["setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all"];

export class BootHost {
  readonly namespace = makeNamespaceName(newPrefix(), "boot");
  readonly base = mkdtempSync(join(tmpdir(), "portcullis-boot-"));
  readonly directory = join(this.base, "state");
  /** Beside the guard file. */
  readonly fallback = join(this.base, "fallback");
  /** Holds what a machine without Node has. */
  readonly programs = mkdtempSync(join(tmpdir(), "portcullis-path-"));

  static async open(): Promise<BootHost> {
    const host = new BootHost();
    await makeNamespaces([host.namespace]);
    for (const program of ["mv", "nft", "sha256sum", "sleep", "stat"]) {
      const found = (await must(["/bin/sh", "-c", `command -v ${program}`])).trim();
      symlinkSync(found, join(host.programs, program));
    }
    return host;
  }

  async close(): Promise<void> {
    for (const folder of [this.base, this.programs]) rmSync(folder, { recursive: true });
    await removeNamespaces([this.namespace]);
  }

  /** Forgets everything. */
  async wipe(): Promise<void> {
    for (const folder of [this.directory, this.fallback])
      rmSync(folder, { recursive: true, force: true });
    await this.nft("flush", "ruleset");
  }

  nft(...argv: readonly string[]): Promise<string> {
    return must(inNamespace(this.namespace, "nft", ...argv));
  }

  /** It has joined and knows its guard. */
  join(): void {
    for (const folder of [this.directory, this.fallback]) keepClosed(folder, testGuard);
  }

  stage(seq: number): SlotName {
    const program = mustRender(groupsRuleset({ dev: [`10.8.0.${seq}`], ops: [] }));
    const digest = "0".repeat(64);
    const applied = {
      seq,
      revision: seq,
      bundle_sha256: digest,
      mode: "enforce" as const,
      program_sha256: programSha256(program),
      guard_sha256: digest,
      renderer: rendererVersion,
    };
    return stageSlot(this.directory, applied, program, 0);
  }

  commit(seq: number): void {
    if (!commitSlot(this.directory, this.stage(seq)))
      throw new Error(`expected to commit seq ${seq}`);
    keepMark(this.fallback, this.directory);
  }

  /** Boots with an empty kernel. @returns what it holds then, in one word */
  async boot(): Promise<string> {
    await this.nft("flush", "ruleset");
    await this.restore();
    return this.held();
  }

  /** Runs the boot script, as a unit does. */
  async restore(...more: readonly string[]): Promise<void> {
    const argv = [
      "env",
      "-i",
      `PATH=${this.programs}`,
      ...restoring(this.directory, this.fallback),
      ...more,
    ];
    await must(inNamespace(this.namespace, ...unprivileged, ...argv));
  }

  /** What the kernel holds, in one word. */
  async held(): Promise<string> {
    const ruleset = await this.nft("-s", "list", "ruleset");
    const seq = /10\.8\.0\.(\d)/.exec(ruleset)?.[1];
    if (seq !== undefined) return `seq ${seq}`;
    if (!ruleset.includes("policy drop")) return "nothing";
    return ruleset.includes("mgmt0") ? "closed" : "last resort";
  }
}
