/** Invitations of hosts, from their making to their end. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Invitation } from "#schema/api/trust.ts";
import { createApp } from "#worker/app.ts";
import { enrolled, enrolment, newHost, postJson } from "#test/support/host.ts";
import { host, installRoot, openPlane, type Plane } from "#test/support/plane.ts";

let plane: Plane;
let rootSha256: string;
beforeAll(async () => {
  plane = await openPlane();
  await plane.commit(host("a"), host("b"), host("c"));
  await installRoot(plane);
  rootSha256 = (await enrolment(plane, "c")).root_sha256;
});
afterAll(() => plane.close());

/** Status of an enrolment by this token. */
async function enrol(name: string, token: string): Promise<number> {
  const request = newHost(plane, name).enrolRequest(token, rootSha256);
  return (await postJson(plane, "/v1/agent/enrol", request)).status;
}

async function open(): Promise<readonly Invitation[]> {
  const answer = (await (await plane.operator("GET", "/v1/enrolments")).json()) as {
    items: unknown[];
  };
  return answer.items.map((item) => Invitation.parse(item));
}
const openIds = async (): Promise<readonly string[]> => (await open()).map(({ id }) => id);

describe("an invitation", () => {
  test("is listed while it is open, with who made it and until when, and never with its token", async () => {
    const { id, token, expires_at } = await enrolment(plane, "a");
    const listed = (await open()).find((one) => one.id === id);
    expect(listed).toMatchObject({ id, host: "a", created_by: "admin", expires_at });
    const text = await (await plane.operator("GET", "/v1/enrolments")).text();
    expect(text).not.toContain(token.slice(4));
    plane.advance(901_000);
    expect(await openIds()).not.toContain(id);
  });

  test("is listed page by page", async () => {
    const made = [
      await enrolment(plane, "a"),
      await enrolment(plane, "b"),
      await enrolment(plane, "c"),
    ];
    const page = async (query: string) =>
      (await (await plane.operator("GET", `/v1/enrolments?limit=2${query}`)).json()) as {
        readonly items: readonly { readonly id: string }[];
        readonly next_cursor: string | null;
      };
    const first = await page("");
    const second = await page(`&cursor=${first.next_cursor}`);
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(made.map(({ id }) => id));
    expect(second.next_cursor).toBeNull();
  });

  test("ends with a newer one of its host, and no other host's does", async () => {
    const [other, first, second] = [
      await enrolment(plane, "b"),
      await enrolment(plane, "a"),
      await enrolment(plane, "a"),
    ];
    expect(await openIds()).toEqual(expect.arrayContaining([other.id, second.id]));
    expect(await openIds()).not.toContain(first.id);
    expect(await enrol("a", first.token)).toBe(401);
    expect(await enrol("b", other.token)).toBe(201);
    expect(await enrol("a", second.token)).toBe(201);
  });

  test("is taken back once, is audited, and lets nobody in afterwards", async () => {
    const { id, token } = await enrolment(plane, "a");
    const takeBack = async () => (await plane.operator("DELETE", `/v1/enrolments/${id}`)).status;
    expect([await takeBack(), await takeBack()]).toEqual([204, 204]);
    expect(await enrol("a", token)).toBe(401);
    expect(await openIds()).not.toContain(id);
    const { results } = await plane.ports.sql
      .prepare("SELECT body FROM audit WHERE action = 'enrolment.end'")
      .all();
    expect(results).toEqual([{ body: JSON.stringify({ enrolment: id, host: "a" }) }]);
    expect((await plane.operator("DELETE", `/v1/enrolments/${"0".repeat(16)}`)).status).toBe(404);
  });

  test("that was used is not taken back: the answer says what is", async () => {
    const { id, token } = await enrolment(plane, "a");
    expect(await enrol("a", token)).toBe(201);
    const answer = await plane.operator("DELETE", `/v1/enrolments/${id}`);
    expect([answer.status, await answer.text()]).toEqual([
      409,
      expect.stringContaining("revoke the key of a"),
    ]);
  });

  test("ends with the host's key, also with one that was revoked before", async () => {
    await enrolled(plane, "a");
    const revoke = async () => (await plane.operator("DELETE", "/v1/hosts/a/identity")).status;
    const before = await enrolment(plane, "a");
    expect(await revoke()).toBe(204);
    expect(await enrol("a", before.token)).toBe(401);
    const after = await enrolment(plane, "a");
    expect(await revoke()).toBe(204);
    expect(await enrol("a", after.token)).toBe(401);
    const anew = await enrolment(plane, "a");
    expect(await enrol("a", anew.token)).toBe(201);
  });

  test("ends with the token that made it, and with that one's maker", async () => {
    const scopes = ["tokens:write", "hosts:enrol"];
    const make = async (name: string, by?: string) => {
      const answer =
        by === undefined
          ? await plane.operator("POST", "/v1/tokens", { name, scopes })
          : await postJson(plane, "/v1/tokens", { name, scopes }, by);
      return (await answer.json()) as { readonly id: string; readonly token: string };
    };
    const parent = await make("parent");
    const child = await make("child", parent.token);
    const made = await postJson(plane, "/v1/enrolments", { host: "a" }, child.token);
    const { token } = (await made.json()) as { readonly token: string };
    expect((await plane.operator("DELETE", `/v1/tokens/${parent.id}`)).status).toBe(200);
    expect(await enrol("a", token)).toBe(401);
  });

  test("that nobody holds waits for no writer, and holds none up", async () => {
    const { sql } = plane.ports;
    let waiting = 0;
    const counted: Plane["ports"]["sql"] = {
      ...sql,
      inTurn: (work) => {
        waiting += 1;
        return work();
      },
    };
    const app = createApp({ ...plane.ports, sql: counted });
    const send = async (token: string) => {
      const body = JSON.stringify(newHost(plane, "a").enrolRequest(token, rootSha256));
      const headers = { "content-type": "application/json" };
      return (await app.request("/v1/agent/enrol", { method: "POST", headers, body })).status;
    };
    const { token } = await enrolment(plane, "a");
    const over = (await enrolment(plane, "a")).token;
    expect([await send(token), await send(`pce_${"A".repeat(43)}`), await send("x")]).toEqual([
      401, 401, 401,
    ]);
    expect(waiting).toBe(0);
    expect(await send(over)).toBe(201);
    expect(await send(over)).toBe(409);
    expect(waiting).toBe(1);
  });
});
