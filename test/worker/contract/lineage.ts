/** Tokens made by tokens: what one may see and end, what ends with it, and whose word counts as another person's. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TokenScope } from "#schema/api/tokens.ts";
import {
  type Adapter,
  type Answer,
  expectProblem,
  type Harness,
  hostChange,
  openHarness,
} from "./harness.ts";

interface Made {
  readonly id: string;
  readonly name: string;
  readonly token: string;
}

export function lineageContract(name: string, open: () => Promise<Adapter>): void {
  describe(`tokens of tokens on ${name}`, () => {
    let h: Harness;
    beforeAll(async () => {
      h = await openHarness(open);
    });
    afterAll(() => h.close());
    const lines = linesOf(() => h);
    ends(lines);
    bounds(lines);
    emergencies(lines);
  });
}

interface Lines {
  readonly h: () => Harness;
  /** A token of every scope, made by another one; the first operator token makes those without. */
  readonly make: (by?: Made, scopes?: readonly string[]) => Promise<Made>;
  readonly revoke: (one: Made, by?: Made) => Promise<Answer>;
  readonly works: (one: Made) => Promise<boolean>;
}

function linesOf(h: () => Harness): Lines {
  let made = 0;
  return {
    h,
    async make(by, scopes = TokenScope.options) {
      made += 1;
      const body = { name: `t${made}`, scopes };
      const answer = await h().call("POST", "/v1/tokens", { body, token: by?.token ?? h().admin });
      expect(answer.status).toBe(201);
      return answer.json as Made;
    },
    revoke: (one, by) =>
      h().call("DELETE", `/v1/tokens/${one.id}`, { token: by?.token ?? h().admin }),
    works: async ({ token }) => (await h().call("GET", "/v1/hosts", { token })).status === 200,
  };
}

function ends({ h, make, revoke, works }: Lines): void {
  test("end with the one that made them, to the last generation, and nobody else's do", async () => {
    const [a, other] = [await make(), await make()];
    const b = await make(a);
    const [c, sister] = [await make(b), await make(a)];
    expect((await revoke(b)).status).toBe(200);
    expect([await works(a), await works(b), await works(c)]).toEqual([true, false, false]);
    expect((await revoke(a)).status).toBe(200);
    expect([await works(a), await works(sister), await works(other)]).toEqual([false, false, true]);
    const audit = await h().call("GET", "/v1/audit?limit=1");
    expect(audit.json).toMatchObject({
      items: [{ action: "token.revoke", body: { id: a.id, name: a.name, with: [sister.name] } }],
    });
  });

  test("are made by nobody whose own token ended meanwhile", async () => {
    const a = await make();
    const body = { name: "late", scopes: ["intent:read"] };
    // Both begin together: whichever is first, no child outlives its maker.
    const [child] = await Promise.all([
      h().call("POST", "/v1/tokens", { body, token: a.token }),
      revoke(a),
    ]);
    expect([201, 401]).toContain(child.status);
    const alive = await h().count(
      "SELECT count(*) AS n FROM token WHERE name = 'late' AND revoked_at IS NULL",
    );
    expect(alive).toBe(0);
  });

  test("see and end themselves and what descends from them, and nothing else is there for them", async () => {
    const [a, other] = [await make(), await make()];
    const b = await make(a);
    const c = await make(b);
    const seen = async (one: Made) => {
      const { json } = await h().call("GET", "/v1/tokens?limit=1000", { token: one.token });
      return (json as { readonly items: readonly Made[] }).items
        .map(({ name: title }) => title)
        .sort();
    };
    expect(await seen(a)).toEqual([a.name, b.name, c.name].sort());
    expect(await seen(b)).toEqual([b.name, c.name].sort());
    expect(await seen(other)).toEqual([other.name]);
    for (const foreign of [a, other]) expectProblem(await revoke(foreign, b), 404, "not_found");
    expect([await works(a), await works(other)]).toEqual([true, true]);
    expect((await revoke(c, b)).status).toBe(200);
    expect((await revoke(b, b)).status).toBe(200);
    expect([await works(b), await works(c)]).toEqual([false, false]);
  });
}

function bounds({ h, make, revoke }: Lines): void {
  test("lists page by page what a token may see", async () => {
    const a = await make();
    const names = [a.name];
    for (let i = 0; i < 3; i += 1) names.push((await make(a)).name);
    const found: string[] = [];
    let cursor = "";
    for (let page = 0; page < 3; page += 1) {
      const { json } = await h().call("GET", `/v1/tokens?limit=2${cursor}`, { token: a.token });
      const { items, next_cursor } = json as { items: readonly Made[]; next_cursor: string | null };
      found.push(...items.map(({ name: title }) => title));
      if (next_cursor === null) break;
      cursor = `&cursor=${next_cursor}`;
    }
    expect(found.sort()).toEqual(names.sort());
  });

  test("take no name that was ever given", async () => {
    const a = await make();
    const again = () =>
      h().call("POST", "/v1/tokens", { body: { name: a.name, scopes: ["intent:read"] } });
    expect((await again()).status).toBe(409);
    await revoke(a);
    expect(expectProblem(await again(), 409, "conflict").detail).toContain("take another one");
  });

  test("form no line longer than eight, and no line larger than a thousand", async () => {
    let last = await make();
    const first = last;
    for (let i = 1; i < 8; i += 1) last = await make(last);
    const body = { name: "ninth", scopes: ["intent:read"] };
    expectProblem(
      await h().call("POST", "/v1/tokens", { body, token: last.token }),
      409,
      "conflict",
    );
    const rows = Array.from({ length: 992 }, (_, i) => [`filler${i}`, `${i}`.padStart(64, "0")]);
    await h()
      .ports.sql.prepare(
        "INSERT INTO token (id, name, sha256, scopes, created_at, created_by, parent, ancestor) SELECT value ->> 0, value ->> 0, value ->> 1, '[]', 0, 't', ?1, ?1 FROM json_each(?2)",
      )
      .bind(first.id, JSON.stringify(rows))
      .run();
    expectProblem(
      await h().call("POST", "/v1/tokens", { body, token: first.token }),
      409,
      "conflict",
    );
    expect((await revoke(first)).status).toBe(200);
  });
}

function emergencies({ h, make }: Lines): void {
  let n = 0;
  const start = async (by: string): Promise<number> => {
    n += 1;
    await h().commit([hostChange(`e${n}`)], undefined, "staged");
    const body = { note: "now", emergency: true };
    const { json } = await h().call("POST", "/v1/rollouts", { body, token: by });
    return (json as { readonly id: number }).id;
  };
  const approve = (id: number, token: string) =>
    h().call("POST", `/v1/rollouts/${id}/approve`, { body: {}, token });

  test("are no second person for an emergency: neither parent nor child, nor two of one parent", async () => {
    const [a, stranger] = [await make(), await make()];
    const [b, sister] = [await make(a), await make(a)];
    const c = await make(b);
    for (const [starter, approver] of [
      [a, b],
      [b, a],
      [a, c],
      [c, a],
      [b, sister],
    ] as const) {
      const id = await start(starter.token);
      const refused = expectProblem(await approve(id, approver.token), 409, "conflict");
      expect(refused.detail).toBe(
        `token:${approver.name} and token:${starter.name} are of one line: somebody else must approve it.`,
      );
      expect((await approve(id, stranger.token)).json).toMatchObject({ status: "running" });
    }
  });

  test("are no second person for the first operator token, which could have made them", async () => {
    const a = await make();
    const byAdmin = await start(h().admin);
    expectProblem(await approve(byAdmin, a.token), 409, "conflict");
    const byToken = await start(a.token);
    expectProblem(await approve(byToken, h().admin), 409, "conflict");
    const b = await make();
    expect((await approve(byToken, b.token)).status).toBe(200);
  });
}
