/** Which files a catalog is made of, and that nothing is sent while one of them is wrong. */
import { symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { readCatalogFiles } from "#cli/catalog/files.ts";
import { type Folder, folderOf, runCli } from "../support/cli.ts";

const made: Folder[] = [];
const folder = (files: Readonly<Record<string, string | Buffer>>): string => {
  const fresh = folderOf(files);
  made.push(fresh);
  return fresh.path;
};
afterEach(() => {
  for (const fresh of made.splice(0)) fresh.remove();
});

const namesIn = (path: string): readonly string[] =>
  readCatalogFiles([path]).map(({ name }) => name.slice(path.length + 1));

describe("which files", () => {
  test("reads a directory to its depth, sorted, and only catalog files", () => {
    const path = folder({
      "b.yml": "",
      "a/z.json": "",
      "a.yaml": "",
      "README.md": "",
      "a/n.yaml.bak": "",
    });
    expect(namesIn(path)).toEqual(["a.yaml", "a/z.json", "b.yml"]);
  });

  test("leaves hidden folders alone, where a checkout keeps its own files", () => {
    expect(namesIn(folder({ ".ci/build.yaml": "", ".x.yaml": "", "a.yaml": "" }))).toEqual([
      "a.yaml",
    ]);
  });

  test("follows a link inside and refuses one that leads out", () => {
    const path = folder({ ".data/a.yaml": "" });
    symlinkSync(".data/a.yaml", join(path, "a.yaml"));
    expect(namesIn(path)).toEqual(["a.yaml"]);
    symlinkSync(join(folder({ "secret.yaml": "" }), "secret.yaml"), join(path, "b.yaml"));
    expect(() => namesIn(path)).toThrow(/b\.yaml is a link out of/);
  });

  test("refuses a link to a directory, which could lead in circles", () => {
    const path = folder({ "a.yaml": "" });
    symlinkSync(".", join(path, "again"));
    expect(() => namesIn(path)).toThrow(/again is a link to a directory/);
  });

  test("refuses a directory without a catalog file: it is more likely the wrong one than an empty fleet", () => {
    expect(() => namesIn(folder({ "README.md": "" }))).toThrow(/holds no \*\.yaml/);
  });

  test("refuses what is too large, what is not UTF-8 and what is not there", () => {
    const path = folder({
      "big.yaml": Buffer.alloc(4 * 1024 * 1024 + 1, 0x23),
      "latin.yaml": Buffer.from([0xe4]),
    });
    expect(() => readCatalogFiles([join(path, "big.yaml")])).toThrow(
      /big\.yaml is larger than 4194304 bytes/,
    );
    expect(() => readCatalogFiles([join(path, "latin.yaml")])).toThrow(/latin\.yaml is not UTF-8/);
    expect(() => readCatalogFiles([join(path, "none.yaml")])).toThrow(
      /cannot read .*none\.yaml: ENOENT/,
    );
    writeFileSync(join(path, "big.yaml"), Buffer.alloc(4 * 1024 * 1024, 0x23));
    expect(readCatalogFiles([join(path, "big.yaml")])).toHaveLength(1);
  });
});

describe("before anything is sent", () => {
  test.each(["plan", "apply"])("%s says every mistake and calls nobody", async (command) => {
    let requests = 0;
    const server = createServer((_, response) => {
      requests += 1;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const path = folder({
        "web.yaml": "web:\n  ingress:\n    - { from: any, port: 0, proto: tcp }\n",
        "ok.yaml": "ok: { ingress: [] }\n",
        "two.yaml": "web: { ingress: [], extra: 1 }\n",
      });
      const env = { PORTCULLIS_URL: `http://127.0.0.1:${port}`, PORTCULLIS_TOKEN: "secret-token" };
      const { code, lines, errors } = await runCli([command, "-f", path], { env });
      expect({ code, lines }).toEqual({ code: 1, lines: [] });
      expect(errors).toEqual([
        `${path}/two.yaml:1:21: /services/web/extra: unknown field`,
        `${path}/web.yaml:3:26: /services/web/ingress/0/port: expected a port from 1 to 65535 or a range such as 8000-8010`,
      ]);
      expect(requests).toBe(0);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test.each([
    [["apply", "-f", "x", "--allow-delete", "-1"], /--allow-delete/],
    [["apply", "-f", "x", "-m", ""], /--message: expected some text/],
    [["apply", "--purge"], /unknown option --purge/],
    [["token"], /which of token create, token list, token revoke\?/],
    [["token", "revoke", "pc_abcdef_SECRET"], /revoked by its id/],
    [["token", "create", "--name", "ci", "--scope", "everything"], /--scope is one of/],
    [["ruleset", "web1", "--format", "iptables"], /--format is nft or json/],
    [["revisions", "last"], /a revision is a number/],
    [["rollout"], /which of rollout start, /],
    [["rollout", "watch"], /which rollout\?/],
    [["rollout", "show", "r7"], /a rollout's id is a number/],
    [["rollout", "resume", "7"], /--reason is needed/],
    [["rollout", "hosts", "7", "--standing", "lost"], /--standing is one of pending/],
    [["rollout", "list", "--status", "done"], /--status is one of awaiting_approval/],
    [["rollout", "start", "--emergency"], /an emergency needs --reason/],
    [
      ["rollout", "start", "--strategy", "canary:50,25"],
      /--strategy is canary, canary:5,25,100, all or/,
    ],
    [["rollout", "start", "--strategy", "labels:env"], /--strategy is canary/],
    [["rollout", "start", "--bake", "10"], /--bake is a number of s, m, h or d/],
    [["rollout", "start", "--max-failed", "101"], /max_failed_percent/],
    [["apply", "-f", "x", "--rollout", "slowly"], /--rollout is canary/],
    [["pin", "web1"], /--reason is needed/],
  ])("called wrongly is one line and exit code 2: %j", async (args, expected) => {
    const { code, lines, errors } = await runCli(args);
    expect({ code, lines, count: errors.length }).toEqual({ code: 2, lines: [], count: 1 });
    expect(errors[0]).toMatch(expected);
    expect(errors[0]).not.toContain("SECRET");
  });

  test.each([
    [["plan"], /-f is needed/],
    [["plan", "-f", "x", "--source", "a/b"], /--source is a name/],
    [["plan", "--bogus"], /unknown option --bogus/],
  ])("a plan called wrongly never ends as one that has changes: %j", async (args, expected) => {
    const { code, errors } = await runCli(args);
    expect({ code, errors }).toEqual({ code: 1, errors: [expect.stringMatching(expected)] });
  });
});
