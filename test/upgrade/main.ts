/** `node test/upgrade/main.ts`: writes `test/upgrade/VERSION/` by the code as it is, where that folder is not there. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as z from "zod";
import { version } from "#args/version.ts";
import { newHostKey, writeIdentity } from "#agent/disk/identity.ts";
import { programSha256 } from "#agent/disk/digest.ts";
import { commitSlot, stageSlot } from "#agent/disk/slots.ts";
import { linkReport } from "#agent/report/chain.ts";
import { render, rendererVersion } from "#core/render/index.ts";
import { HostItem } from "#schema/api/hosts.ts";
import { Guard } from "#schema/guard.ts";
import type { Report } from "#schema/wire.ts";
import { pinned } from "#test/support/believer.ts";
import { enrolment, newHost, poll, postJson, tokenOf } from "#test/support/host.ts";
import { host, installRoot, openPlane, overlay } from "#test/support/plane.ts";
import { type Facts, places, sha256, writtenAt } from "./written.ts";

const folder = join(import.meta.dirname, version);
if (existsSync(folder)) throw new Error(`${folder} is written once and kept`);
const at = places(folder);
mkdirSync(at.host, { recursive: true, mode: 0o700 });

const plane = await openPlane({ data: at.plane, now: writtenAt });
const root = (await installRoot(plane)).text;
await plane.commit(host("gw"), host("web1"), overlay("office", "gw"));
await plane.commit({
  op: "put",
  kind: "service",
  key: "web",
  body: { ingress: [{ from: "any", port: 443, proto: "tcp" }], to: ["host:gw"] },
});

const key = newHostKey();
const gw = newHost(plane, "gw", key);
const { token: invitation, root_sha256 } = await enrolment(plane, "gw");
const answer = await postJson(plane, "/v1/agent/enrol", gw.enrolRequest(invitation, root_sha256));
if (answer.status !== 201) throw new Error(await answer.text());
writeIdentity(
  at.host,
  { url: "https://plane.example", host: "gw", fleet: "f1", root_sha256, ca: null },
  key,
);
const token = await tokenOf(plane, gw);
writeFileSync(at.update, await (await poll(plane, token)).text());

const bundle = await pinned(at.host, root, "gw", token).cycle(plane);
if (bundle === undefined) throw new Error("expected an update");
const guard = Guard.parse({
  management: { allow: [{ cidr: "192.0.2.0/24", proto: "tcp", port: 22 }] },
});
const rendered = render(bundle.ruleset, guard);
if (!rendered.ok) throw new Error(rendered.message);
const { status } = HostItem.parse(await (await plane.operator("GET", "/v1/hosts/gw")).json());
const applied = {
  seq: status.published?.seq ?? 0,
  revision: bundle.custom.revision,
  bundle_sha256: bundle.sha256,
  mode: "enforce" as const,
  program_sha256: programSha256(rendered.program),
  guard_sha256: sha256(JSON.stringify(guard)),
  renderer: rendererVersion,
};
commitSlot(at.host, stageSlot(at.host, applied, rendered.program, writtenAt));

const { seq, revision, bundle_sha256, program_sha256 } = applied;
const described = {
  at: new Date(writtenAt).toISOString(),
  boot_id: "b1",
  agent_version: version,
  renderer: rendererVersion,
  state: "steady",
  applied: { seq, revision, bundle_sha256, program_sha256 },
  seen: { root: 1, timestamp: 1, targets: 1 },
  guard_sha256: applied.guard_sha256,
  guard,
  reverted_seq: null,
  refusal: null,
  counters: [{ name: rendered.program.counters[0] ?? "", packets: 7, bytes: 420 }],
  drift: null,
  foreign_drops: [],
  listening: null,
  addresses: ["192.0.2.1"],
  drops: 3,
  expires: null,
} satisfies Omit<Report, "n" | "prev">;
const { body } = linkReport(at.host, described, writtenAt);
writeFileSync(at.report, body);
const taken = await postJson(plane, "/v1/agent/report", JSON.parse(body), token);
if (taken.status !== 200) throw new Error(await taken.text());
await plane.close();

const facts = {
  host: "gw",
  revision,
  seq,
  bundle_sha256,
  program_sha256,
  root_sha256,
} satisfies z.infer<typeof Facts>;
writeFileSync(at.facts, `${JSON.stringify(facts, null, 2)}\n`);
