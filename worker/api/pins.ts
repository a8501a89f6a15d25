/** Pins: hosts that a person keeps where they are. Both directions say the same when they are said again. */
import { Hono } from "hono";
import { Pinned, PinRequest } from "#schema/api/hosts.ts";
import type { Ports } from "../ports.ts";
import { pin, unpin } from "../release/pin.ts";
import { principalOf } from "./authorize.ts";
import { describe } from "./describe.ts";
import type { AppEnv } from "./env.ts";
import { jsonBody, params } from "./input.ts";
import { HostParam } from "./rows.ts";

export function pins(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  api.put(
    "/v1/hosts/:host/pin",
    describe("PUT /v1/hosts/:host/pin", "Keep a host where it is", { 200: Pinned }),
    params(HostParam),
    ...jsonBody(PinRequest),
    async (c) => {
      const { host } = c.req.valid("param");
      await pin(ports, principalOf(c).name, host, c.req.valid("json"));
      return c.json({ host, pinned: true });
    },
  );
  api.delete(
    "/v1/hosts/:host/pin",
    describe("DELETE /v1/hosts/:host/pin", "Let rollouts reach a host again", { 200: Pinned }),
    params(HostParam),
    async (c) => {
      const { host } = c.req.valid("param");
      await unpin(ports, principalOf(c).name, host);
      return c.json({ host, pinned: false });
    },
  );
  return api;
}
