/** Bad input: each is refused with the path of what is wrong, nothing is written and nothing said back. */
import { expect, test } from "vitest";
import { expectProblem, type Harness, memberChange, office } from "./harness.ts";

const aText: unknown = expect.any(String);

/** Each body is a change of a commit, then the path of its diagnostic. */
const badChanges: readonly (readonly [string, unknown, string, string])[] = [
  [
    "an unknown field",
    { op: "put", kind: "host", key: "x", body: { adresses: [] } },
    "/changes/0/body/adresses",
    "schema",
  ],
  [
    "an unknown field beside",
    { op: "put", kind: "host", key: "x", body: {}, note: "" },
    "/changes/0/note",
    "schema",
  ],
  ["an unknown kind", { op: "put", kind: "zoo", key: "x", body: {} }, "/changes/0/kind", "schema"],
  [
    "an interface name of 16 characters",
    overlay({ interfaces: ["abcdefghijklmnop"] }),
    "/changes/0/body/interfaces/0",
    "schema",
  ],
  [
    "a newline in an interface name",
    overlay({ interfaces: ["tun\n0"] }),
    "/changes/0/body/interfaces/0",
    "schema",
  ],
  ["host bits", overlay({ subnets: ["10.9.0.1/24"] }), "/changes/0/body/subnets/0", "schema"],
  ["no subnet", overlay({ subnets: [] }), "/changes/0/body/subnets", "schema"],
  [
    "a policy that does not exist",
    overlay({ policy: "same-group" }),
    "/changes/0/body/policy",
    "schema",
  ],
  [
    "v4-mapped v6",
    member("office/bob", { group: "dev", addresses: ["::ffff:10.8.0.9"] }),
    "/changes/0/body/addresses/0",
    "schema",
  ],
  [
    "an address with leading zeros",
    member("office/bob", { group: "dev", addresses: ["10.8.0.09"] }),
    "/changes/0/body/addresses/0",
    "schema",
  ],
  ["NUL in a name", member("office/bob\0", { group: "dev" }), "/changes/0/key", "schema"],
  [
    "a newline in a name",
    { op: "put", kind: "host", key: "gw\nx", body: {} },
    "/changes/0/key",
    "schema",
  ],
  ["an empty cn", member("office/", { group: "dev" }), "/changes/0/key", "schema"],
  ["an empty group", member("office/bob", { group: "" }), "/changes/0/body/group", "schema"],
  ["no group", member("office/bob", {}), "/changes/0/body/group", "schema"],
  [
    "an unknown group",
    member("office/bob", { group: "nope" }),
    "/changes/0/body/group",
    "unknown_group",
  ],
  [
    "an unknown overlay",
    member("nowhere/bob", { group: "dev" }),
    "/changes/0/body",
    "unknown_overlay",
  ],
  ["an unknown host", overlay({ host: "nobody" }), "/changes/0/body/host", "unknown_host"],
  [
    "an address outside the overlay",
    member("office/bob", { group: "dev", addresses: ["10.9.0.9"] }),
    "/changes/0/body/addresses/0",
    "address_outside_overlay",
  ],
  [
    "another member's address",
    member("office/bob", { group: "dev", addresses: ["10.8.0.2"] }),
    "/changes/0/body/addresses/0",
    "duplicate_address",
  ],
  [
    "the deletion of nothing",
    { op: "delete", kind: "member", key: "office/nobody" },
    "/changes/0/key",
    "nothing_to_delete",
  ],
];

function overlay(body: object): unknown {
  return {
    op: "put",
    kind: "overlay",
    key: "new",
    body: { ...office, subnets: ["10.9.0.0/24"], interfaces: ["tun9"], ...body },
  };
}

function member(key: string, body: object): unknown {
  return { op: "put", kind: "member", key, body };
}

export function badInput(h: () => Harness): void {
  const written = () =>
    h().count("SELECT (SELECT head FROM fleet) + (SELECT count(*) FROM audit) AS n");

  test.each(badChanges)(
    "refuses %s with the path of it, and writes nothing",
    async (_, change, path, code) => {
      const before = await written();
      const answer = await h().call("POST", "/v1/commits", {
        body: { message: "bad", changes: [change] },
      });
      const { errors } = expectProblem(answer, 422, "invalid_intent");
      expect(errors).toContainEqual({ path, code, message: aText });
      expect(await written()).toBe(before);
    },
  );

  test("names every finding at once", async () => {
    const changes = [
      member("office/x1", { group: "nope", addresses: ["10.8.0.50"] }),
      member("office/x2", { group: "dev", addresses: ["192.0.2.1"] }),
    ];
    const answer = await h().call("POST", "/v1/commits", { body: { message: "bad", changes } });
    expect(expectProblem(answer, 422, "invalid_intent").errors?.map((error) => error.path)).toEqual(
      ["/changes/0/body/group", "/changes/1/body/addresses/0"],
    );
  });

  test("refuses two changes of one row in one commit", async () => {
    const change = memberChange("office/bob", "dev", "10.8.0.3");
    const answer = await h().call("POST", "/v1/commits", {
      body: { message: "m", changes: [change, change] },
    });
    const { errors } = expectProblem(answer, 422, "invalid_intent");
    expect(errors).toMatchObject([{ path: "/changes/1/key", code: "duplicate_change" }]);
  });

  test("points into the row itself on the route of one row", async () => {
    const answer = await h().put("member", "office/bob", { group: "nope" });
    expect(expectProblem(answer, 422, "invalid_intent").errors).toMatchObject([{ path: "/group" }]);
  });

  test("never says back what was sent", async () => {
    const secret = "pc_hunter2";
    const sent = [
      { message: "m", changes: [member("office/bob", { group: "dev", addresses: [secret] })] },
      { message: "m", changes: [overlay({ policy: secret })] },
      { message: "m", changes: [{ op: secret }] },
      { message: `${secret}\n`, changes: [] },
      { [`${secret} is no field name`]: 1 },
    ];
    for (const body of sent) {
      const answer = await h().call("POST", "/v1/commits", { body });
      expect(answer.status).toBe(422);
      expect(answer.text).not.toContain(secret);
    }
    expect((await h().call("POST", "/v1/commits", { text: `{"${secret}` })).text).not.toContain(
      secret,
    );
  });
}
