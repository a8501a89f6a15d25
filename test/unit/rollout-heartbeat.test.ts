/** Silence in a rollout: it promotes nothing, and of a host that had spoken it is a breach. */
import { expect, test } from "vitest";
import { Driven } from "#test/support/rollout.ts";

const hour = 3600;

test("leaves no wave on silence: a host is heard of past half of the bake, or lost after four quarters of it", () => {
  const driven = new Driven();
  driven.tick();
  driven.commitAll();
  driven.quiet.add("a");
  driven.now += 299_000;
  driven.hear(driven.commit("a"));
  expect([driven.tick(600), driven.state.wave]).toEqual([[], 1]);
  driven.tick(1);
  expect([driven.standingOf("a"), driven.state.status]).toEqual(["failed", "rolled_back"]);
  const heard = new Driven();
  heard.tick();
  heard.commitAll();
  heard.now += 300_000;
  heard.hear(heard.commit("a"));
  heard.quiet.add("a");
  expect([heard.tick(300).length, heard.state.wave]).toEqual([1, 2]);
});

test("a host of a wave that was left is lost after two hours, and one that reports every hour alone never sooner", () => {
  const driven = new Driven();
  driven.tick();
  driven.commitAll();
  driven.tick(600);
  driven.commitAll();
  driven.quiet.add("a");
  driven.tick(2 * hour);
  expect(driven.standingOf("a")).toBe("committed");
  driven.tick(1);
  expect(driven.standingOf("a")).toBe("failed");
  const hourly = new Driven();
  hourly.tick();
  hourly.quiet.add("a");
  hourly.commitAll({ heartbeats: false });
  hourly.tick(2 * hour);
  expect([hourly.standingOf("a"), hourly.state.wave]).toEqual(["committed", 1]);
});
