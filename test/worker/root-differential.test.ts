/**
 * One reader of roots, by three doors: hundreds of mutated successors are put before the control plane (`PUT /v1/root`),
 * the command line (`root check`) and an agent's trust room. What the control plane takes, the command line passes and a
 * real agent follows, up to believing what is signed under it; where the control plane is stricter, it says why.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Trust } from "#agent/trust/index.ts";
import type { RootKey } from "#cli/root/name.ts";
import { parseStrict } from "#core/json.ts";
import type { Root } from "#schema/tuf.ts";
import { believer, pinned } from "#test/support/believer.ts";
import { runCli } from "#test/support/cli.ts";
import { enrolled } from "#test/support/host.ts";
import type { Mutant } from "#test/support/mutants.ts";
import { host, installRoot, openPlane, type Plane } from "#test/support/plane.ts";
import { rootMutants } from "#test/support/root-mutants.ts";

interface Verdict extends Mutant {
  /** Undefined when it was put in force. */
  readonly plane: string | undefined;
  /** Undefined when it passes. */
  readonly cli: string | undefined;
  readonly agentFollows: boolean;
  /** What became of a poll of the plane with this root in force; undefined where it is not. */
  readonly poll: string | undefined;
}

const folder = mkdtempSync(join(tmpdir(), "portcullis-differential-"));
const at = (name: string): string => join(folder, name);
let plane: Plane;
let first: string;
let token: string;
const verdicts: Verdict[] = [];

/** What the control plane says: undefined, or the code of its refusal. */
async function planeSays(text: string): Promise<string | undefined> {
  const response = await plane.operator("PUT", "/v1/root", { root: text });
  if (response.status === 201) return undefined;
  const problem = (await response.json()) as { code: string; errors?: { code: string }[] };
  expect([text.slice(0, 200), response.status < 500]).toEqual([text.slice(0, 200), true]);
  return problem.errors?.[0]?.code ?? problem.code;
}

async function cliSays(text: string): Promise<string | undefined> {
  writeFileSync(at("next.json"), text);
  const { code, errors } = await runCli(["root", "check", at("next.json"), "--from", at("1.json")]);
  return code === 0 ? undefined : errors.join();
}

let trust: Trust;
/** The host as it was under version 1. */
function open(): void {
  const directory = at("state");
  rmSync(directory, { recursive: true, force: true });
  cpSync(at("host"), directory, { recursive: true });
  ({ trust } = believer(directory, first, "gw", token));
}

/** Whether the trust room of a host that believes version 1 goes on to this root, whatever else comes with it. */
async function agentSays(text: string): Promise<boolean> {
  const nothing = new Uint8Array();
  await trust.accept(
    {
      roots: [Buffer.from(text)],
      timestamp: nothing,
      snapshot: nothing,
      targets: nothing,
      bundle: undefined,
    },
    trust.hint(),
    Date.now(),
  );
  const follows = trust.readSeen().root === 2;
  if (follows) open();
  return follows;
}

/** A poll of that host, with the root in force. Then the control plane is put back to version 1. */
async function pollUnder(): Promise<string> {
  const directory = at("polling");
  cpSync(at("host"), directory, { recursive: true });
  const polling = believer(directory, first, "gw", token);
  const polled = await polling.cycle(plane).then(
    (bundle) =>
      `root ${polling.trust.readSeen().root}, ${bundle === undefined ? "nothing" : "a bundle"}`,
    (error: Error) => error.message,
  );
  await plane.close();
  for (const name of ["polling", "data"]) rmSync(at(name), { recursive: true });
  cpSync(at("backup"), at("data"), { recursive: true });
  plane = await openPlane({ data: at("data") });
  return polled;
}

beforeAll(async () => {
  plane = await openPlane({ data: at("data") });
  await plane.commit(host("gw"));
  const { text, keys } = await installRoot(plane);
  first = text;
  writeFileSync(at("1.json"), text);
  ({ token } = await enrolled(plane, "gw"));
  await pinned(at("host"), text, "gw", token).cycle(plane);
  await plane.close();
  cpSync(at("data"), at("backup"), { recursive: true });
  plane = await openPlane({ data: at("data") });
  open();
  const { signed } = parseStrict(Buffer.from(text)) as unknown as { signed: Root };
  for (const mutant of rootMutants(
    { ...signed, version: 2 },
    keys as [RootKey, RootKey, RootKey],
  )) {
    const cli = await cliSays(mutant.text);
    const agentFollows = await agentSays(mutant.text);
    const said = await planeSays(mutant.text);
    const poll = said === undefined ? await pollUnder() : undefined;
    verdicts.push({ ...mutant, plane: said, cli, agentFollows, poll });
  }
}, 600_000);
afterAll(async () => {
  await plane.close();
  rmSync(folder, { recursive: true, force: true });
});

const titles = (some: readonly Verdict[]): readonly string[] => some.map(({ title }) => title);

describe("over hundreds of mutated roots", () => {
  test("some are taken and most are not", () => {
    const taken = verdicts.filter((one) => one.plane === undefined);
    expect(verdicts.length).toBeGreaterThan(400);
    expect(new Set(verdicts.map(({ text }) => text)).size).toBeGreaterThan(350);
    expect(taken.length).toBeGreaterThan(10);
  });

  test("what the control plane takes, the command line passes and an agent follows", () => {
    const taken = verdicts.filter((one) => one.plane === undefined);
    expect(
      titles(taken.filter(({ cli, agentFollows }) => cli !== undefined || !agentFollows)),
    ).toEqual([]);
  });

  test("under what the control plane takes, an agent polls it and believes what it signs", () => {
    const taken = verdicts.filter((one) => one.plane === undefined);
    expect(taken.map(({ title, poll }) => [title, poll])).toEqual(
      taken.map(({ title }) => [title, "root 2, a bundle"]),
    );
  });

  test("what the command line passes, an agent follows", () => {
    expect(
      titles(verdicts.filter(({ cli, agentFollows }) => cli === undefined && !agentFollows)),
    ).toEqual([]);
  });

  test("where the control plane is stricter than an agent, it is about time, form or its own keys", () => {
    const stricter = verdicts.filter((one) => one.plane !== undefined && one.agentFollows);
    expect(new Set(stricter.map((one) => one.plane))).toEqual(
      new Set(["root_malformed", "root_expired", "root_time_far", "root_online_keys"]),
    );
    expect(titles(stricter.filter(({ wanted }) => wanted !== undefined))).toEqual([]);
  });

  test("what must be refused is refused by all three, and what must be taken by none", () => {
    const wrong = verdicts.filter(({ wanted, plane: said, cli, agentFollows }) =>
      wanted === "refused"
        ? said === undefined || cli === undefined || agentFollows
        : wanted === "taken" && (said !== undefined || cli !== undefined || !agentFollows),
    );
    expect(wrong.map(({ title, wanted, plane: said, cli }) => [title, wanted, said, cli])).toEqual(
      [],
    );
  });
});
