/**
 * Every case of TUF's conformance suite (theupdateframework/tuf-conformance, 110 of a client), by its name there. Its
 * repository is built in the shape that the trust room believes (Ed25519, our custom fields, SHA-256), so that each case
 * reaches the room and is judged by what it is about.
 */
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { asRoot, cases, resigned } from "../conformance/cases.ts";
import { newKey, type RoleKeys } from "../conformance/repository.ts";
import { otherRotations, rootRotations } from "../conformance/rotations.ts";
import { modes, openStage, type Stage } from "../conformance/stage.ts";

let stage: Stage;
beforeEach(async () => void (stage = await openStage()));
afterEach(() => stage.close());

/** Cases that need no more words than the two files beside the attacks have for them: played there, by these titles. */
const elsewhere: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  "test/attack/conformance.test.ts": [
    [
      "basic_refresh_requests",
      "a first refresh asks for the next root, timestamp, snapshot and targets, and believes them",
    ],
    [
      "basic_refresh_trusted_data",
      "a first refresh asks for the next root, timestamp, snapshot and targets, and believes them",
    ],
    ["implicit_refresh", "a download refreshes first, and fails where there is no such target"],
    [
      "client_downloads_expected_file",
      "a target is downloaded as it was signed, and not again while it is the same",
    ],
    [
      "multiple_changes_to_target",
      "a target is downloaded as it was signed, and not again while it is the same",
    ],
    [
      "artifact_cache",
      "a target is downloaded as it was signed, and not again while it is the same",
    ],
    ["invalid_initial_root", "that lacks a version"],
    ["unsigned_initial_root", "that is not signed"],
    ["faketime", "expired metadata on disk is a base for fresh metadata"],
    ["expired_local_timestamp", "expired metadata on disk is a base for fresh metadata"],
    ["targets_fast_forward_recovery", "a %s that was sent far ahead, once its keys are rotated"],
    [
      "new_snapshot_fast_forward_recovery",
      "a %s that was sent far ahead, once its keys are rotated",
    ],
    [
      "new_timestamp_fast_forward_recovery",
      "a %s that was sent far ahead, once its keys are rotated",
    ],
  ],
  "test/attack/conformance-refusals.test.ts": [
    ["unsigned_metadata[root]", "an unsigned root"],
    ["unsigned_metadata[timestamp]", "an unsigned timestamp"],
    ["unsigned_metadata[snapshot]", "an unsigned snapshot"],
    ["unsigned_metadata[targets]", "unsigned targets"],
    ["url_and_metadata_version_mismatch[root]", "a root of another version than its name"],
    ["timestamp_content_changes", "other content under a version that it has seen"],
    ["basic_metadata_hash_support", "a pin without SHA-256"],
    ["targets_hash_mismatch", "other targets than the snapshot pins"],
    ["snapshot_hash_mismatch", "another snapshot than the timestamp pins"],
    ["snapshot_404", "no snapshot"],
    ["targets_404", "no targets"],
    ["timestamp_404", "no timestamp"],
    ["incorrect_metadata_type", "a timestamp in the snapshot's place"],
    ["root_expired", "an expired root"],
    ["timestamp_expired", "an expired timestamp"],
    ["snapshot_expired", "an expired snapshot"],
    ["targets_expired", "expired targets"],
    ["repository_substitutes_target_file", "a target that is not the one that was signed"],
    ["snapshot_does_not_meet_threshold", "a snapshot below its threshold"],
    ["snapshot_has_too_few_keys", "a role with fewer keys than its threshold"],
    ["new_timestamp_version_rollback", "an older timestamp"],
    ["snapshot_rollback[basic]", "an older snapshot under a newer timestamp"],
    ["snapshot_rollback[hashes]", "an older snapshot under a newer timestamp"],
    ["targets_rollback[basic]", "older targets under a newer snapshot"],
    ["targets_rollback[hashes]", "older targets under a newer snapshot"],
    ["targets_role_removal", "a snapshot that no longer lists targets"],
  ],
};

const keys = Array.from({ length: 9 }, newKey);
const named = (numbers: readonly number[]): readonly RoleKeys[] =>
  numbers.map((number) => keys[number] ?? newKey());

describe.each(modes)("%s", (mode) => {
  beforeEach(async () => {
    expect([await stage.init(mode), await stage.refresh(mode)]).toEqual([0, 0]);
  });

  test.each(cases)("gives its verdict on $ids", async ({ edit, code, stock }) => {
    edit(stage.repository);
    const refused = mode === "stock" ? stock === 1 : code !== undefined;
    expect(await stage.refresh(mode)).toBe(refused ? 1 : 0);
    if (mode === "room")
      expect(stage.said.map((line) => line.replace(/:.*/s, ""))).toEqual(
        code === undefined ? [] : [code],
      );
    // As it was sent, to the byte.
    if (!refused)
      expect(readFileSync(stage.path("metadata/timestamp.json"))).toEqual(
        Buffer.from(stage.repository.files.get("metadata/timestamp.json") ?? ""),
      );
  });

  test.each(rootRotations)(
    "follows roots as far as they are signed: %s",
    async (_, steps, believed) => {
      const { repository } = stage;
      for (const [index, { keys: holders, threshold, signers }] of steps.entries()) {
        Object.assign(repository.roles.root, {
          keys: named(holders),
          threshold,
          signers: named(signers),
        });
        repository.publishRoot();
        const asked = new Set(named(signers).map(({ keyid }) => keyid));
        // The first one is followed from the key of version 1, which signs it too.
        if (index > 0)
          resigned(repository, `metadata/${index + 2}.root.json`, (all) =>
            all.filter(({ keyid }) => asked.has(keyid)),
          );
        await stage.refresh(mode);
      }
      expect(stage.believed()["root"]).toBe(1 + believed);
      expect(stage.said.length > 0).toBe(believed < steps.length);
    },
  );

  test.each(otherRotations)(
    "believes a role as far as its new keys sign: %s",
    async (_, steps, believed) => {
      const { repository } = stage;
      for (const { keys: holders, threshold, signers } of steps) {
        Object.assign(repository.roles.timestamp, {
          keys: named(holders),
          threshold,
          signers: named(signers),
        });
        asRoot(() => undefined)(repository);
        await stage.refresh(mode);
      }
      expect(stage.said.length === 0).toBe(believed);
      if (mode === "room" && !believed) expect(stage.said.join()).toMatch(/^signature_invalid: /);
    },
  );

  test("follows a root that has not ended from one on disk that has (expired_local_root)", async () => {
    const { root } = stage.repository.roles;
    const later = root.expires;
    root.expires = "2020-01-01T00:00:00Z";
    stage.repository.publishRoot();
    expect(await stage.refresh(mode)).toBe(1);
    root.expires = later;
    stage.repository.publishRoot();
    expect(await stage.refresh(mode)).toBe(0);
    expect(stage.believed()["root"]).toBe(3);
  });

  test("asks for no address with two slashes in it", () => {
    expect(stage.repository.asked.filter((path) => path.startsWith("metadata/"))).not.toEqual([]);
    expect(
      stage.repository.asked.filter((path) => path.startsWith("/") || path.includes("//")),
    ).toEqual([]);
  });
});

test("all 110 cases are played, the refused ones with a reason", () => {
  for (const [file, titles] of Object.entries(elsewhere)) {
    const text = readFileSync(file, "utf8");
    for (const [id, title] of titles) expect(text, id).toContain(`"${title}",`);
  }
  const ids = [
    ...cases.flatMap((one) => one.ids),
    ...Object.values(elsewhere).flatMap((titles) => titles.map(([id]) => id)),
    ...rootRotations.map(([id]) => `root_rotation[${id}]`),
    ...otherRotations.map(([id]) => `non_root_rotations[${id}]`),
    "expired_local_root",
  ];
  expect([...new Set(ids)]).toHaveLength(110);
  expect(ids).toHaveLength(110);
  for (const { code, stock, reason } of cases)
    expect(reason !== undefined).toBe(code !== undefined && stock === 0);
});
