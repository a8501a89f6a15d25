/** Which of a host's units a person is warned of: a tree of unit files, as Debian and an administrator write them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listUnitWarnings } from "#agent/observe/units.ts";

let root: string;
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), "portcullis-units-"))));
afterEach(() => rmSync(root, { recursive: true }));

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
const enable = (unit: string): void => {
  const wants = join(root, "etc/systemd/system/sysinit.target.wants");
  mkdirSync(wants, { recursive: true });
  symlinkSync(`/lib/systemd/system/${unit}`, join(wants, unit));
};

/** Of nftables 1.0.6-2+deb12u2. */
const debian = `[Service]
Type=oneshot
ExecStart=/usr/sbin/nft -f /etc/nftables.conf
ExecReload=/usr/sbin/nft -f /etc/nftables.conf
ExecStop=/usr/sbin/nft flush ruleset
`;
const dropIn = readFileSync(
  join(import.meta.dirname, "../../agent/units/nftables.service.d/portcullis.conf"),
  "utf8",
);
const flushing = `#!/usr/sbin/nft -f

flush ruleset

table inet filter {
	set many { type ipv4_addr; elements = { ${Array.from({ length: 20_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`).join(", ")} } }
}
`;

test("names Debian's nftables.service, when it flushes and which file to mend, where it is enabled", () => {
  write("lib/systemd/system/nftables.service", debian);
  write("etc/nftables.conf", flushing);
  expect(listUnitWarnings(root)).toEqual([]);
  enable("nftables.service");
  expect(listUnitWarnings(root)).toEqual([
    "nftables.service flushes every table at start, reload, stop, ours too: at boot nothing filters until the agent " +
      "runs, and later for two seconds. Let it delete its own tables instead of 'flush ruleset' in /etc/nftables.conf, " +
      "or 'systemctl edit nftables.service' and add to [Service]: ExecStartPost=-/bin/sh /usr/lib/portcullis/restore.sh " +
      "/var/lib/portcullis /etc/portcullis/fallback /usr/sbin/nft missing",
  ]);
  write("usr/lib/systemd/system/nftables.service.d/portcullis.conf", dropIn);
  expect(listUnitWarnings(root)).toEqual([
    "nftables.service flushes every table at start, reload, stop, ours too, which comes back at once; for that moment " +
      "nothing filters. Let it delete its own tables instead of 'flush ruleset' in /etc/nftables.conf.",
  ]);
});

test("is still about its stop where the file flushes nothing, and silent where neither does or the unit is masked", () => {
  write("lib/systemd/system/nftables.service", debian);
  write("etc/nftables.conf", "table inet filter\ndelete table inet filter\n# flush ruleset\n");
  enable("nftables.service");
  expect(listUnitWarnings(root)).toMatchObject([expect.stringMatching(/at stop, ours too:/)]);
  write(
    "lib/systemd/system/nftables.service",
    debian.replace("nft flush ruleset", "nft delete table inet filter"),
  );
  expect(listUnitWarnings(root)).toEqual([]);
  write("lib/systemd/system/nftables.service", debian);
  symlinkSync("/dev/null", join(root, "etc/systemd/system/nftables.service"));
  expect(listUnitWarnings(root)).toEqual([]);
});

test("reads an administrator's own unit before the package's, and drop-ins", () => {
  write("lib/systemd/system/own.service", "[Service]\nExecStart=/usr/local/bin/rules\n");
  write(
    "etc/systemd/system/own.service.d/late.conf",
    "[Service]\nExecStartPost=/usr/sbin/nft --file=/etc/own.nft\n",
  );
  write("etc/own.nft", "  flush ruleset;\n");
  enable("own.service");
  expect(listUnitWarnings(root)).toMatchObject([
    expect.stringMatching(/^own\.service flushes every table at start,/),
  ]);
});

test("names our boot unit where it is installed and not enabled", () => {
  write("usr/lib/systemd/system/portcullis-boot.service", "[Service]\nExecStart=/bin/true\n");
  expect(listUnitWarnings(root)).toEqual([
    expect.stringContaining("systemctl enable portcullis-boot.service"),
  ]);
  enable("portcullis-boot.service");
  expect(listUnitWarnings(root)).toEqual([]);
});
