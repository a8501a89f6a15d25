/** A catalog's files: what they mean, and where every mistake in them stands. */
import { describe, expect, test } from "vitest";
import { locate, readCatalog } from "#cli/catalog/index.ts";
import { formatFinding } from "#cli/catalog/places.ts";

const read = (text: string, name = "c.yaml") => readCatalog([{ name, text }]);
const rowsOf = (text: string) => {
  const catalog = read(text);
  if (!catalog.ok) throw new Error(catalog.findings.map(formatFinding).join("\n"));
  return catalog.rows.map(({ put }) => ({ kind: put.kind, key: put.key, body: put.body }));
};
const findingsOf = (text: string): readonly string[] => {
  const catalog = read(text);
  return catalog.ok ? [] : catalog.findings.map(formatFinding);
};
/** A service `web` with one entry of ingress, on line 3. */
const ingress = (entry: string) => `web:\n  ingress:\n    - ${entry}\n`;

describe("what a catalog means", () => {
  test("reads the service catalog of the design as it stands", () => {
    const text = [
      "photoprism:",
      "  ingress:",
      "    - { from: reverse_proxy, port: 2342, proto: tcp }",
      "reverse_proxy:",
      "  ingress:",
      "    - { from: lan, port: 443, proto: tcp }",
    ].join("\n");
    expect(rowsOf(text)).toEqual([
      {
        kind: "service",
        key: "photoprism",
        body: { ingress: [{ from: "reverse_proxy", port: 2342, proto: "tcp" }] },
      },
      {
        kind: "service",
        key: "reverse_proxy",
        body: { ingress: [{ from: "lan", port: 443, proto: "tcp" }] },
      },
    ]);
  });

  test("reads every section, members as rows of their own, defaults filled in", () => {
    const text = [
      "portcullis: 1",
      "zones: { lan: { cidrs: [192.0.2.0/24] } }",
      "hosts: { gw: { addresses: [192.0.2.1] } }",
      "services: { ssh: { ingress: [{ from: lan, macro: ssh }] } }",
      "overlays:",
      "  office:",
      "    { host: gw, interfaces: [wg0], subnets: [10.8.0.0/24], policy: group-based, groups: [dev],",
      "      members: { alice@example.org: { group: dev } } }",
    ].join("\n");
    expect(rowsOf(text)).toEqual([
      { kind: "zone", key: "lan", body: { cidrs: ["192.0.2.0/24"] } },
      { kind: "host", key: "gw", body: { addresses: ["192.0.2.1"], roles: [], labels: {} } },
      { kind: "service", key: "ssh", body: { ingress: [{ from: "lan", macro: "ssh" }] } },
      {
        kind: "overlay",
        key: "office",
        body: {
          host: "gw",
          interfaces: ["wg0"],
          subnets: ["10.8.0.0/24"],
          policy: "group-based",
          groups: ["dev"],
        },
      },
      { kind: "member", key: "office/alice@example.org", body: { group: "dev", addresses: [] } },
    ]);
  });

  test("reads several documents, JSON, a byte order mark and an alias of a list", () => {
    expect(
      rowsOf("a: { ingress: [] }\n---\n# nothing\n---\nb: { ingress: [] }\n").map(({ key }) => key),
    ).toEqual(["a", "b"]);
    expect(rowsOf('\uFEFF{\n\t"a": {\n\t\t"ingress": []\n\t}\n}\n')).toHaveLength(1);
    const [, second] = rowsOf(
      "a: { ingress: &x [{ from: any, macro: ssh }] }\nb: { ingress: *x }\n",
    );
    expect(second?.body).toEqual({ ingress: [{ from: "any", macro: "ssh" }] });
  });

  test("a file of comments declares nothing", () => {
    expect(rowsOf("# nothing\n")).toEqual([]);
    expect(rowsOf("")).toEqual([]);
  });

  test("takes words such as yes, on and 08 for what they are", () => {
    expect(rowsOf("on: { ingress: [] }\n08: { ingress: [] }\n").map(({ key }) => key)).toEqual([
      "on",
      "08",
    ]);
  });
});

describe("where a mistake stands", () => {
  const port = "expected a port from 1 to 65535 or a range such as 8000-8010";
  test.each([
    ["port 0", "{ from: any, port: 0, proto: tcp }", `3:26: /services/web/ingress/0/port: ${port}`],
    [
      "port 65536",
      "{ from: any, port: 65536, proto: tcp }",
      `3:26: /services/web/ingress/0/port: ${port}`,
    ],
    [
      "a reversed range",
      "{ from: any, port: 90-80, proto: tcp }",
      `3:26: /services/web/ingress/0/port: ${port}`,
    ],
    [
      "a fraction",
      "{ from: any, port: 4.5, proto: tcp }",
      `3:26: /services/web/ingress/0/port: ${port}`,
    ],
    [
      "infinity",
      "{ from: any, port: 1e999, proto: tcp }",
      `3:26: /services/web/ingress/0/port: ${port}`,
    ],
    [
      "an unknown field",
      "{ from: any, macro: ssh, form: x }",
      "3:32: /services/web/ingress/0/form: unknown field",
    ],
    [
      "an unknown protocol",
      "{ from: any, port: 22, proto: sctp }",
      "3:37: /services/web/ingress/0/proto: expected tcp or udp",
    ],
    [
      "port beside macro",
      "{ from: any, port: 22, macro: ssh }",
      "3:7: /services/web/ingress/0: expected either port and proto, or macro",
    ],
    [
      "a bare address",
      "{ from: 192.0.2.1, macro: ssh }",
      "3:15: /services/web/ingress/0/from: expected a network: 192.0.2.1/32",
    ],
  ])("%s", (_, entry, expected) => {
    expect(findingsOf(ingress(entry))).toEqual([`c.yaml:${expected}`]);
  });

  test("a missing field is reported where it is missing", () => {
    expect(findingsOf(ingress("{ macro: ssh }"))).toEqual([
      expect.stringMatching(
        /^c\.yaml:3:7: \/services\/web\/ingress\/0\/from: expected any, a network/,
      ),
    ]);
  });

  test("all mistakes of all files at once, in the order of places", () => {
    const catalog = readCatalog([
      { name: "b.yaml", text: ingress("{ from: any, port: 0, proto: tcp }") },
      { name: "a.yaml", text: "portcullis: 1\nzones: { any: {} }\nzone: {}\n" },
    ]);
    expect(catalog.ok ? [] : catalog.findings.map(formatFinding)).toEqual([
      "a.yaml:2:10: /zones/any: expected a name other than any",
      "a.yaml:3:1: /zone: unknown field",
      `b.yaml:3:26: /services/web/ingress/0/port: ${port}`,
    ]);
  });

  test("a key twice in a document names both places", () => {
    expect(findingsOf("web: { ingress: [] }\n'web': { ingress: [] }\n")).toEqual([
      "c.yaml:2:1: /services/web: expected each key once; it stands at c.yaml:1:1 already",
    ]);
    expect(findingsOf("portcullis: 1\nhosts:\n  a: { roles: [], roles: [x] }\n")).toEqual([
      "c.yaml:3:19: /hosts/a/roles: expected each key once; it stands at c.yaml:3:8 already",
    ]);
  });

  test("a row in two files names both places", () => {
    const text = "web: { ingress: [] }\n";
    const catalog = readCatalog([
      { name: "a.yaml", text },
      { name: "b.yaml", text: `# again\n${text}` },
    ]);
    expect(catalog.ok ? [] : catalog.findings.map(formatFinding)).toEqual([
      "b.yaml:2:1: /services/web: expected service web once; it stands at a.yaml:1:1 already",
    ]);
  });

  test("sections without their version are not taken for services", () => {
    expect(findingsOf("zones: { lan: { cidrs: [] } }\n")).toEqual([
      "c.yaml:1:1: /zones: expected portcullis: 1 in a document with sections",
    ]);
    expect(findingsOf("portcullis: 2\n")).toEqual([
      "c.yaml:1:13: /portcullis: expected 1, the version of this format",
    ]);
  });

  test.each([
    ["a list", "[1]\n", "1:1: expected a mapping of names"],
    [
      "a tag",
      "web: !!binary aGk=\n",
      "1:15: /services/web: tags such as !!binary have no meaning here",
    ],
    ["an unknown tag", "web: !secret x\n", "1:6: Unresolved tag: !secret"],
    [
      "a merge key",
      "<<: { ingress: [] }\n",
      "1:1: /services/<<: expected a name of 1 to 63 letters",
    ],
    [
      "a field that objects treat specially",
      "__proto__: { ingress: [] }\n",
      "1:1: /services/__proto__: unknown",
    ],
    ["another version of YAML", "%YAML 1.1\n---\nweb: { ingress: [] }\n", "3:1: expected YAML 1.2"],
    ["a bracket that is not closed", "web: { ingress: [\nfoo: 1\n", "2:"],
    ["a mapping as key", "{ a: 1 }: 3\n", "1:1: With stringKeys"],
    [
      "an alias of itself",
      "a: &x { ingress: [*x] }\n",
      "1:19: /services/a/ingress/0: expected an alias of a value",
    ],
    ["an alias of nothing", "a: *x\n", "1:4: /services/a: expected an alias of a value"],
    ["no end of brackets", "[".repeat(100_000), "1:"],
  ])("refuses %s", (_, text, expected) => {
    const [first, ...more] = findingsOf(text);
    expect(first).toContain(`c.yaml:${expected}`);
    expect(more.length).toBeLessThan(3);
  });

  test("refuses a bomb of aliases where it goes off, without building it", () => {
    const layer = (i: number) => `a${i}: &a${i} [${`*a${i - 1},`.repeat(9)}]`;
    const bomb = ["a0: &a0 [x]", ...Array.from({ length: 40 }, (_, i) => layer(i + 1))].join("\n");
    expect(findingsOf(bomb)).toEqual([
      "c.yaml:4:26: /services/a3/4: expected aliases that repeat at most 1000 values",
    ]);
  });

  test("says a key of a megabyte in one short line", () => {
    const long = "x".repeat(1024 * 1024);
    for (const text of [`${long}: { ingress: [] }\n`, `? ${long}\n: { ingress: [] }\n`]) {
      const found = findingsOf(text);
      expect(found).toHaveLength(1);
      expect(found[0]?.length).toBeLessThan(500);
    }
  });

  test("a file cannot draw on the terminal", () => {
    const found = findingsOf('"\\e[31mred\\nnext\\u202E": { ingress: [] }\n');
    expect(found).toHaveLength(1);
    expect(found[0]).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});

describe("what the control plane found", () => {
  const text = [
    "portcullis: 1",
    "services:",
    "  web:",
    "    ingress:",
    "      - { from: nowhere, macro: https }",
    "overlays:",
    "  office: { host: gw, interfaces: [wg0], subnets: [10.8.0.0/24], policy: group-based,",
    "    members: { alice: { group: dev } } }",
  ].join("\n");
  const catalog = read(text);
  const rows = catalog.ok ? catalog.rows : [];
  const changes = rows.map(({ put }) => put);

  test.each([
    ["/changes/0/body/ingress/0/from", "c.yaml:5:17: /services/web/ingress/0/from: m"],
    ["/services/web/ingress/0/from", "c.yaml:5:17: /services/web/ingress/0/from: m"],
    ["/changes/0/key", "c.yaml:3:3: /services/web: m"],
    ["/changes/2/body/group", "c.yaml:8:32: /overlays/office/members/alice/group: m"],
    ["/members/office/alice/group", "c.yaml:8:32: /overlays/office/members/alice/group: m"],
    ["/changes/1/body/groups", "c.yaml:7:11: /overlays/office/groups: m"],
  ])("is said of its file: %s", (path, expected) => {
    const found = locate(rows, changes, { path, message: "m" });
    expect(found === undefined ? undefined : formatFinding(found)).toBe(expected);
  });

  test.each(["/changes/9/body", "/services/other", "/", "", "/toString/x"])(
    "is not invented: %s",
    (path) => {
      expect(locate(rows, changes, { path, message: "m" })).toBeUndefined();
    },
  );
});

test.each(["0x1F90", "8e3", "0o20", "0110", "+80", "8080.0", "1_000"])(
  "refuses port %s: a port is plain decimal, and readers of YAML differ in what else is one",
  (port) => {
    expect(findingsOf(ingress(`{ from: any, port: ${port}, proto: tcp }`))).toEqual([
      expect.stringMatching(/^c\.yaml:3:26: \/services\/web\/ingress\/0\/port: expected a /),
    ]);
    expect(findingsOf(ingress(`{ from: any, port: "${port}", proto: tcp }`))).toHaveLength(1);
  },
);
