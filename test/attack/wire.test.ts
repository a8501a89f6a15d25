/** What the other end of the connection may do with it: each refused by code within its limit, kernel unchanged. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { defaultLimits, type Limits } from "#agent/transport/request.ts";
import type { RefusalCode } from "#schema/refusals.ts";
import { envelopeOf, filesOf, publish } from "./plane.ts";
import { admitting, type Namespace, openNamespace, openVictim, type Victim } from "./victim.ts";

/** The production limits, all divided by 25, so that a test need not wait for them. */
const impatient: Limits = {
  connectMs: 200,
  headersMs: 400,
  cycleMs: 800,
  floorAfterMs: 200,
  floorBytesPerSecond: defaultLimits.floorBytesPerSecond,
};

let namespace: Namespace;
let victim: Victim;
let before: string;
let next: string;
beforeAll(async () => {
  namespace = await openNamespace();
  victim = await openVictim(namespace);
  before = await namespace.ruleset();
  next = envelopeOf(
    filesOf(await publish(victim.authority, admitting("203.0.113.9"), victim.second)),
  );
});
afterAll(async () => {
  await victim.close();
  await namespace.close();
});
beforeEach(() => victim.restart({ limits: impatient }));

async function expectRefused(code: RefusalCode): Promise<void> {
  const { refusal, state } = await victim.cycle();
  expect(refusal?.code).toBe(code);
  expect(state).toMatchObject({ applied: { seq: 2 } });
  expect(await namespace.ruleset()).toBe(before);
}

test.each([0, 1, 100, 1500, -1])("refuses a reply that ends early (at %d)", async (at) => {
  victim.plane.answer((_, response) => void response.writeHead(200).end(next.slice(0, at)));
  await expectRefused("response_malformed");
});
test("refuses a reply whose connection ends before its length", async () => {
  victim.plane.answer((_, response) => {
    response.writeHead(200, { "content-length": String(next.length) });
    response.write(next.slice(0, 100), () => response.destroy());
  });
  await expectRefused("unreachable");
});

test("refuses a reply that says it is larger than any update, before it reads one byte of it", async () => {
  victim.plane.answer((_, response) =>
    response.writeHead(200, { "content-length": "99000000" }).flushHeaders(),
  );
  await expectRefused("response_too_large");
});

test("cuts an endless reply at the cap", async () => {
  let sent = 0;
  victim.restart();
  victim.plane.answer((_, response) => {
    const block = Buffer.alloc(256 * 1024, " ");
    const more = (): void => {
      sent += block.length;
      if (!response.destroyed) response.write(block, more);
    };
    more();
  });
  await expectRefused("response_too_large");
  expect(sent).toBeLessThan(32 * 1024 * 1024);
});

test("ends a reply that drips", async () => {
  victim.restart({ limits: { ...impatient, cycleMs: 60_000 } });
  victim.plane.answer((_, response) => {
    response.writeHead(200);
    const drip = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(drip));
  });
  await expectRefused("response_too_slow");
});

test("ends a request whose headers never come", async () => {
  victim.restart({ limits: { ...impatient, cycleMs: 60_000 } });
  victim.plane.answer(() => undefined);
  await expectRefused("response_too_slow");
});

test("ends a cycle that outlasts its time, although every byte comes in at speed", async () => {
  victim.plane.answer((_, response) => {
    response.writeHead(200);
    const flow = setInterval(() => response.write(" ".repeat(2_000)), 20);
    response.on("close", () => clearInterval(flow));
  });
  await expectRefused("response_too_slow");
});

test("refuses a compressed reply, good or not", async () => {
  victim.plane.answer((request, response) => {
    expect(request.headers["accept-encoding"]).toBe("identity");
    response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(next));
  });
  await expectRefused("response_encoding");
});

test.each([301, 302, 307, 308])("follows no redirect (%d)", async (status) => {
  victim.plane.answer(
    (_, response) => void response.writeHead(status, { location: "/elsewhere" }).end(),
  );
  const asked = victim.plane.asked.length;
  await expectRefused("http_status");
  expect(victim.plane.asked.slice(asked).map(({ path }) => path)).not.toContain("/elsewhere");
});

test.each([401, 403, 404, 410, 429, 500, 503])(
  "takes %d for nothing but a failed poll",
  async (status) => {
    victim.plane.answer((_, response) => void response.writeHead(status).end());
    await expectRefused("http_status");
  },
);

test("refuses an envelope with a duplicate key", async () => {
  const twice = next.replace('"roots":[]', '"roots":[],"roots":[]');
  victim.plane.answer((_, response) => void response.writeHead(200).end(twice));
  await expectRefused("response_malformed");
});

test("refuses an envelope with an unknown member", async () => {
  const more = next.replace('"roots":[]', '"roots":[],"install":"x"');
  victim.plane.answer((_, response) => void response.writeHead(200).end(more));
  await expectRefused("response_malformed");
});

test("takes a 304 for an answer only where it sent an ETag", async () => {
  victim.plane.answer((_, response) => void response.writeHead(304).end());
  expect((await victim.cycle()).refusal).toBeUndefined();
  rmSync(join(victim.directory, "slots"), { recursive: true });
  victim.restart({ limits: impatient });
  expect((await victim.cycle()).refusal?.code).toBe("response_malformed");
});

test("goes on as if nothing had happened when the control plane is honest again", async () => {
  victim.plane.answer((_, response) => void response.writeHead(200).end(next));
  expect(await victim.cycle()).toMatchObject({
    refusal: undefined,
    state: { kind: "steady", applied: { seq: 3 } },
  });
});
