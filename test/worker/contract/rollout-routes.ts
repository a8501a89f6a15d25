/** What the routes of rollouts and pins promise besides the rollout itself: answers, lists, tags and events; on every adapter. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RolloutView } from "#schema/rollout.ts";
import { createApp } from "#worker/app.ts";
import { type Adapter, expectProblem, firstError, type Harness, openHarness } from "./harness.ts";

const names = ["a", "b", "c", "d"] as const;

export function rolloutRouteContract(name: string, open: () => Promise<Adapter>): void {
  describe(`routes of rollouts on ${name}`, () => {
    let h: Harness;
    beforeAll(async () => {
      h = await openHarness(open);
      for (const key of names) await h.put("host", key, { roles: ["web"] });
    });
    afterAll(() => h.close());
    started(() => h);
    listed(() => h);
    watched(() => h);
    pinned(() => h);
  });
}

const ports = { next: 8000 };

/** Commits what changes every host, and gives it to none. */
async function stage(h: Harness): Promise<void> {
  ports.next += 1;
  const body = {
    ingress: [{ from: "any", port: ports.next, proto: "tcp" as const }],
    to: ["role:web"],
  };
  const result = await h.commit(
    [{ op: "put", kind: "service", key: "web", body }],
    undefined,
    "staged",
  );
  if (!result.ok) throw new Error("refused");
}

async function start(h: Harness, body: object = {}): Promise<RolloutView> {
  const answer = await h.call("POST", "/v1/rollouts", { body: { note: "test", ...body } });
  expect(answer.status).toBe(201);
  const { supersedes: _, ...view } = answer.json as RolloutView & { readonly supersedes: number[] };
  expect(answer.headers.get("location")).toBe(`/v1/rollouts/${view.id}`);
  return RolloutView.parse(view);
}

function started(h: () => Harness): void {
  test("with nothing withheld there is nothing to start, and that has a code of its own", async () => {
    const answer = await h().call("POST", "/v1/rollouts", { body: { note: "test" } });
    expect(expectProblem(answer, 409, "nothing_to_release").errors).toBe(undefined);
  });

  test("what it waits for before the next wave is in the view, as a time when all have answered", async () => {
    await stage(h());
    const { id, bakes_until } = await start(h(), { gates: { bake_seconds: 300 } });
    expect(bakes_until).toBe(null);
    const sql =
      "UPDATE rollout_host SET standing = 'committed', settled_at = ?2 WHERE rollout = ?1 AND wave = 1";
    const at = h().ports.clock.now();
    await h().ports.sql.prepare(sql).bind(id, at).run();
    const view = RolloutView.parse((await h().call("GET", `/v1/rollouts/${id}`)).json);
    expect(view.bakes_until).toBe(new Date(at + 300_000).toISOString());
  });

  test.each(["pause", "resume", "rollback", "skip", "force"])(
    "to %s it without a reason names /reason",
    async (action) => {
      const answer = await h().call("POST", `/v1/rollouts/1/${action}`, { body: {} });
      expectProblem(answer, 400, "bad_request");
      expect(firstError(answer).path).toBe("/reason");
    },
  );

  test("a rollout that does not exist is not found, whatever is asked of it", async () => {
    for (const id of ["99", "0", "x"]) {
      expectProblem(await h().call("GET", `/v1/rollouts/${id}`), 404, "not_found");
      expectProblem(await h().call("GET", `/v1/rollouts/${id}/hosts`), 404, "not_found");
      const halt = await h().call("POST", `/v1/rollouts/${id}/halt`, { body: {} });
      expect(expectProblem(halt, 404, "not_found").code).toBe("not_found");
    }
  });
}

interface Listed<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
}

function listed(h: () => Harness): void {
  const list = async <T>(path: string): Promise<Listed<T>> =>
    (await h().call("GET", path)).json as Listed<T>;
  type Standing = Record<"host" | "phase" | "standing", string> & { readonly wave: number };

  test("rollouts come newest first, page by page, and by status", async () => {
    await stage(h());
    const newest = await start(h());
    const first = await list<RolloutView>("/v1/rollouts?limit=1");
    expect(first.items.map(({ id }) => id)).toEqual([newest.id]);
    const next = await list<RolloutView>(`/v1/rollouts?limit=1&cursor=${first.next_cursor}`);
    expect(next.items.map(({ id }) => id)).toEqual([newest.id - 1]);
    const over = await list<RolloutView>("/v1/rollouts?status=superseded");
    expect(over.items.map(({ id }) => id)).toEqual([newest.id - 1]);
    expectProblem(await h().call("GET", "/v1/rollouts?status=lost"), 400, "bad_request");
  });

  test("hosts of a rollout come page by page, and by standing, phase and wave", async () => {
    const [{ id } = { id: 0 }] = (await list<RolloutView>("/v1/rollouts?limit=1")).items;
    const hosts: Standing[] = [];
    for (let cursor = ""; ;) {
      const page = await list<Standing>(`/v1/rollouts/${id}/hosts?limit=3${cursor}`);
      hosts.push(...page.items);
      if (page.next_cursor === null) break;
      cursor = `&cursor=${encodeURIComponent(page.next_cursor)}`;
    }
    const whole = await list<Standing>(`/v1/rollouts/${id}/hosts`);
    expect(hosts).toEqual(whole.items);
    // One host has the revision before, so it loses too: it stands in both phases.
    expect(hosts.map(({ host, phase }) => `${host} ${phase}`)).toHaveLength(names.length + 1);
    expect(new Set(hosts.map(({ host }) => host))).toEqual(new Set(names));
    const of = async (only: string) =>
      (await list<Standing>(`/v1/rollouts/${id}/hosts?${only}`)).items;
    const narrow = hosts.filter(({ phase }) => phase === "narrow");
    expect(narrow).toHaveLength(1);
    expect(await of("phase=narrow")).toEqual(narrow);
    expect(await of("wave=1")).toEqual(hosts.filter(({ wave }) => wave === 1));
    expect(await of("standing=pending")).toEqual(
      hosts.filter(({ standing }) => standing === "pending"),
    );
    expect(await of("phase=widen&standing=assigned&wave=2")).toEqual([]);
  });
}

function watched(h: () => Harness): void {
  test("a view has a tag that stays while nothing changes", async () => {
    await stage(h());
    const { id } = await start(h());
    const path = `/v1/rollouts/${id}`;
    const tag = (await h().call("GET", path)).headers.get("etag") ?? "";
    const again = () => h().call("GET", path, { headers: { "If-None-Match": tag } });
    expect((await again()).status).toBe(304);
    await h().call("POST", `${path}/halt`, { body: {} });
    expect((await again()).status).toBe(200);
  });

  test("a stream has the view first, then each change, each under an id that is not sent again", async () => {
    await stage(h());
    const { id } = await start(h());
    const first = await follow(h(), id);
    expect((await first.next()).view).toMatchObject({ id, status: "running" });
    await h().call("POST", `/v1/rollouts/${id}/pause`, { body: { reason: "lunch" } });
    const paused = await first.next();
    expect(paused.view).toMatchObject({ status: "paused" });
    await first.end();

    const second = await follow(h(), id, paused.id);
    await h().call("POST", `/v1/rollouts/${id}/halt`, { body: {} });
    expect((await second.next()).view).toMatchObject({ status: "halted" });
    await second.end();
  });

  test("a stream ends with its rollout, and who has the end is told not to come again", async () => {
    await h().call("PUT", "/v1/hosts/a/pin", { body: { reason: "test" } });
    await stage(h());
    const { id, status } = await start(h(), { hosts: ["a"] });
    expect(status).toBe("completed");
    const asked = { headers: { Accept: "text/event-stream" } };
    const { text } = await h().call("GET", `/v1/rollouts/${id}`, asked);
    const [, last = ""] = /^id: (\S+)$/m.exec(text) ?? [];
    const headers = { ...asked.headers, "Last-Event-ID": last };
    expect((await h().call("GET", `/v1/rollouts/${id}`, { headers })).status).toBe(204);
    await h().call("DELETE", "/v1/hosts/a/pin");
  });
}

interface Following {
  next(): Promise<{ readonly id: string; readonly view: unknown }>;
  end(): Promise<void>;
}

async function follow(h: Harness, id: number, seen?: string): Promise<Following> {
  const response = await createApp(h.ports).request(`/v1/rollouts/${id}`, {
    headers: {
      authorization: `Bearer ${h.admin}`,
      accept: "text/event-stream",
      ...(seen === undefined ? {} : { "last-event-id": seen }),
    },
  });
  expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) throw new Error("no stream");
  let text = "";
  return {
    next: async () => {
      while (!text.includes("\n\n")) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the stream ended");
        text += value;
      }
      const [event = "", ...rest] = text.split("\n\n");
      text = rest.join("\n\n");
      const [, data = ""] = /^data: (.*)$/m.exec(event) ?? [];
      const [, named = ""] = /^id: (.*)$/m.exec(event) ?? [];
      return { id: named, view: JSON.parse(data) };
    },
    end: () => reader.cancel(),
  };
}

function pinned(h: () => Harness): void {
  test("pinning and unpinning say the same when said again, and need a host", async () => {
    const pin = (host: string) =>
      h().call("PUT", `/v1/hosts/${host}/pin`, { body: { reason: "migration" } });
    const unpin = (host: string) => h().call("DELETE", `/v1/hosts/${host}/pin`);
    for (const call of [pin, pin, unpin, unpin]) {
      const { status, json } = await call("b");
      expect({ status, json }).toEqual({ status: 200, json: { host: "b", pinned: call === pin } });
    }
    expectProblem(await pin("nobody"), 404, "not_found");
    expectProblem(await unpin("nobody"), 404, "not_found");
  });
}
