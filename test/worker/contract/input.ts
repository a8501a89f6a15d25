/** What no route passes over: query parameters that it does not read, and keys that stand twice in a body. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Access, access } from "#schema/api/access.ts";
import { hostToken } from "./enrolled.ts";
import {
  type Adapter,
  everything,
  expectProblem,
  type Harness,
  office,
  openHarness,
} from "./harness.ts";
import { pathOf } from "./paths.ts";

const routes = Object.entries(access as Record<string, Access>);
const withBody = routes.filter(([route]) => /^(?:PUT|POST) /.test(route));

export function inputContract(name: string, open: () => Promise<Adapter>): void {
  describe(`input on ${name}`, () => {
    let h: Harness;
    let agent: string;
    beforeAll(async () => {
      h = await openHarness(open);
      await h.put("host", "gw", {});
      agent = await hostToken(h, "gw");
    });
    afterAll(() => h.close());

    /** The credential that a route is for. */
    const token = (entry: Access) => (entry.by === "host" ? agent : h.admin);

    test.each(routes)(
      "%s refuses a query parameter that it does not read, and writes nothing",
      async (route, entry) => {
        const [method = "", pattern = ""] = route.split(" ");
        const before = await everything(h);
        for (const query of ["nonsense=1", "nonsense", "nonsense=1&nonsense=2"]) {
          const answer = await h.call(method, `${pathOf(pattern)}?${query}`, {
            token: token(entry),
            ...(method === "PUT" || method === "POST" ? { body: {} } : {}),
          });
          const { errors } = expectProblem(answer, 400, "bad_request");
          expect(errors).toMatchObject([{ path: "/query/nonsense", code: "schema" }]);
        }
        expect(await everything(h)).toEqual(before);
      },
    );

    test.each(withBody)(
      "%s refuses a body with a key twice, and names it",
      async (route, entry) => {
        const [method = "", pattern = ""] = route.split(" ");
        for (const [text, path] of [
          ['{"a":1,"a":1}', "/a"],
          ['{"b":[{"c":{}},{"d":1,"e":{"d":1},"\\u0064":2}]}', "/b/1/d"],
          ['{"__proto__":{}}', "/__proto__"],
        ]) {
          const answer = await h.call(method, pathOf(pattern), {
            token: token(entry),
            text: text ?? "",
          });
          const { errors } = expectProblem(answer, 400, "bad_request");
          expect(errors).toEqual([{ path, code: "schema", message: "expected this key once" }]);
        }
      },
    );

    misspelt(() => h);
  });
}

function misspelt(h: () => Harness): void {
  test("a port is plain decimal, whatever else JSON and JavaScript take for a number", async () => {
    const before = await everything(h());
    const numbers = ["8e3", "8000.0"] as const;
    for (const port of [...numbers, '"0x1F90"', '"0110"', '"8e3"', '"0o20"', '" 80"', '"+80"']) {
      const text = `{"ingress":[{"from":"any","port":${port},"proto":"tcp"}]}`;
      const answer = await h().call("PUT", "/v1/services/web", { text });
      const known = (numbers as readonly string[]).includes(port);
      const { errors } = known
        ? expectProblem(answer, 400, "bad_request")
        : expectProblem(answer, 422, "invalid_intent");
      expect(errors).toMatchObject([{ path: "/ingress/0/port", code: "schema" }]);
    }
    expect(await everything(h())).toEqual(before);
  });

  test("a misspelt release releases nothing, and the answer says what was meant", async () => {
    const before = await everything(h());
    const answer = await h().call("PUT", "/v1/overlays/office?relase=staged", { body: office });
    const { errors } = expectProblem(answer, 400, "bad_request");
    expect(errors).toEqual([
      {
        path: "/query/relase",
        code: "schema",
        message: "unknown parameter; did you mean release?",
      },
    ]);
    expect(await everything(h())).toEqual(before);
  });

  test("a dry run that there is not is no commit", async () => {
    const before = await everything(h());
    const body = { message: "m", changes: [{ op: "put", kind: "host", key: "dry", body: {} }] };
    const answer = await h().call("POST", "/v1/commits?dry_run=true", { body });
    expect(expectProblem(answer, 400, "bad_request").errors).toEqual([
      { path: "/query/dry_run", code: "schema", message: "unknown parameter; this takes none" },
    ]);
    expect(await everything(h())).toEqual(before);
  });

  test("a parameter that is read is refused when it stands twice or is not what it should be", async () => {
    for (const query of [
      "release=now&release=staged",
      "release=later",
      "message=",
      "message=a%0Ab",
    ]) {
      const answer = await h().call("PUT", `/v1/overlays/office?${query}`, { body: office });
      const path = `/query/${query.slice(0, query.indexOf("="))}`;
      expect(expectProblem(answer, 400, "bad_request").errors).toMatchObject([{ path }]);
    }
    const page = await h().call("GET", "/v1/hosts?limit=1&limit=2");
    expect(expectProblem(page, 400, "bad_request").errors).toMatchObject([
      { path: "/query/limit" },
    ]);
  });

  test("never says back a name that could not be a parameter's", async () => {
    const answer = await h().call(
      "GET",
      `/v1/hosts?${encodeURIComponent("pc_hunter2 is secret")}=1`,
    );
    expect(expectProblem(answer, 400, "bad_request").errors).toMatchObject([{ path: "/query" }]);
    expect(answer.text).not.toContain("hunter2");
  });
}
