/** Every golden in a real kernel: its program loads, loads again, and judges real packets as its verdict file says. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openNft } from "#agent/backend/nft/nft.ts";
import { spawnExec } from "#agent/process/spawn.ts";
import { inNamespace } from "#lab/net/netns.ts";
import { must } from "#lab/run/process.ts";
import { type Program, render } from "#core/render/index.ts";
import type { Ruleset } from "#schema/ruleset.ts";
import { tallies } from "#schema/ruleset.ts";
import { simulate } from "#core/simulate/index.ts";
import type { VerdictLine } from "#test/support/verdicts.ts";
import { goldenGuard, readGoldens } from "#test/support/goldens.ts";
import { openReplay, type Replay } from "#test/support/replay.ts";

function programOf(ruleset: Ruleset): Program {
  const rendered = render(ruleset, goldenGuard);
  if (!rendered.ok) throw new Error(rendered.message);
  return rendered.program;
}

/** The kernel judges by its own clock, so a line of another time is left to `simulate` if time changes it. */
const holdsNow = (ruleset: Ruleset, { packet, row }: VerdictLine): boolean =>
  packet.at === undefined ||
  simulate(ruleset, { ...packet, at: Math.floor(Date.now() / 1000) }, goldenGuard).row === row;

describe.each(readGoldens())("golden $name", (golden) => {
  describe.each([...golden.rulesets])("host %s", (host, ruleset) => {
    const lines = golden.verdicts.filter((line) => line.host === host && holdsNow(ruleset, line));
    let replay: Replay;
    const nftThere = () => openNft(spawnExec({ prefix: inNamespace(replay.gateway) }));
    beforeAll(async () => {
      replay = await openReplay(lines);
      await nftThere().apply(programOf(ruleset));
    });
    afterAll(() => replay.destroy());

    it("loads twice with one listing, and the kernel holds every element", async () => {
      const list = () =>
        must(inNamespace(replay.gateway, "nft", "-s", "list", "table", "inet", "portcullis"));
      const before = await list();
      await nftThere().apply(programOf(ruleset));
      expect(await list()).toBe(before);
      await nftThere().readback(programOf(ruleset));
    });

    it.each(lines)("line $number: $text", async (line) => {
      const seen = await replay.send(line);
      expect(seen.passed ? "accept" : "drop").toBe(line.verdict);
      const { rule } = simulate(ruleset, line.packet, goldenGuard);
      const decided = rule === null ? undefined : ruleset.rules[rule];
      expect(decided?.row ?? null).toBe(line.row);
      const expected = [decided?.counter, line.tally].filter(
        (name) => name !== undefined && name !== null,
      );
      expect([...seen.counters].sort()).toEqual(expected.map((name) => [name, 1]).sort());
    });
  });

  it("has all tallies wherever an overlay is, and none elsewhere", async () => {
    for (const ruleset of golden.rulesets.values()) {
      const { counters } = programOf(ruleset);
      const overlay = ruleset.scopes.some(({ kind }) => kind === "overlay");
      expect(counters.filter((name) => (tallies as readonly string[]).includes(name)).length).toBe(
        overlay ? tallies.length : 0,
      );
    }
  });
});
