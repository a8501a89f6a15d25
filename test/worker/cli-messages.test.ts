/** What the command line says when it cannot do what was asked: the thing, the cause, the remedy, and nothing half done. */
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../support/cli.ts";
import { type CliPlane, openCliPlane } from "../support/cli-plane.ts";

let h: CliPlane;
beforeAll(async () => {
  h = await openCliPlane();
  await h.request("PUT", "/v1/hosts/web1", { addresses: ["192.0.2.1"] });
});
afterAll(() => h.close());

/** The one line of an error. */
async function said(...args: readonly string[]): Promise<string> {
  const { code, lines, errors } = await h.run(...args);
  expect({ code, lines, count: errors.length }).toEqual({ code: 1, lines: [], count: 1 });
  return errors[0] ?? "";
}
const init = (folder: string) =>
  h.run("root", "init", "--threshold", "1", "--keys", "2", "--out", folder);

test("root init on a control plane that has a root makes no keys, and names what to do", async () => {
  const [first, second] = [join(h.folder, "first"), join(h.folder, "second")];
  expect(await said("enrol", "web1")).toMatch(/no root of trust yet.*portcullis root init/);
  expect((await init(first)).code).toBe(0);
  const { code, errors } = await init(second);
  expect(code).toBe(1);
  expect(errors).toEqual([
    expect.stringMatching(/root version 1 is in force.*nothing was written.*root rotate/),
  ]);
  expect(existsSync(second)).toBe(false);
});

test("root init that another one overtakes takes its key files away again", async () => {
  const other = await openCliPlane();
  const [winner, late] = [join(other.folder, "winner"), join(other.folder, "late")];
  const words = (folder: string) => [
    "root",
    "init",
    "--threshold",
    "1",
    "--keys",
    "2",
    "--out",
    folder,
  ];
  const target = other.env["PORTCULLIS_URL"] ?? "";
  const way = await openWay(target, async (method, path) => {
    if (method === "PUT" && path === "/v1/root")
      expect((await other.run(...words(winner))).code).toBe(0);
  });
  const taken = await runCli([...words(late), "--url", way.url], { env: other.env });
  expect(taken).toMatchObject({ code: 1, lines: [] });
  expect(taken.errors.join("\n")).toMatch(
    /nothing that was made here is in force; its files are removed/,
  );
  expect(existsSync(late)).toBe(false);
  expect(readdirSync(winner)).toHaveLength(3);
  await way.close();
  await other.close();
});

/** A way to a control plane on which something happens before a request goes on. */
async function openWay(target: string, before: (method: string, path: string) => Promise<void>) {
  const server = createServer((request, response) => {
    const { method = "GET", url: path = "/" } = request;
    void buffer(request).then(async (body) => {
      await before(method, path);
      const answer = await fetch(new URL(path, target), {
        method,
        headers: {
          authorization: request.headers.authorization ?? "",
          "content-type": "application/json",
        },
        ...(body.length === 0 ? {} : { body: new Uint8Array(body) }),
      });
      response.writeHead(answer.status, {
        "content-type": answer.headers.get("content-type") ?? "",
      });
      response.end(await answer.text());
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

test.each([
  [["enrol", "web9"], /host web9 is not declared.*declare it/],
  [["hosts", "web9"], /hosts\/web9.*not declared/],
  [["pin", "web9", "--reason", "x"], /hosts\/web9.*not declared/],
  [["ruleset", "web9"], /web9/],
  [["rollout", "show", "7"], /rollouts\/7.*no rollout of this number/],
  [["revisions", "99"], /revisions\/99.*no such revision/],
  [["token", "revoke", "0123456789abcdef"], /tokens\/0123456789abcdef.*no token of this id/],
  [["cosign", "show", "web1"], /cosign\/web1.*waits/],
])("what is not there is named, and what to do: %j", async (args, expected) => {
  expect(await said(...args)).toMatch(expected);
});

test("a refusal without words of its own says what to do", async () => {
  const { errors } = await h.runWith(
    { env: { ...h.env, PORTCULLIS_TOKEN: `pc_${"0".repeat(16)}_x` } },
    "hosts",
  );
  expect(errors).toEqual([expect.stringMatching(/\(unauthenticated\).*token that is in force/)]);
  const few = await h.run("token", "create", "--name", "few", "--scope", "intent:read");
  const { errors: none } = await h.runWith(
    { env: { ...h.env, PORTCULLIS_TOKEN: few.lines[0] ?? "" } },
    "token",
    "list",
  );
  expect(none).toEqual([expect.stringMatching(/\(forbidden\).*tokens:write/)]);
});
