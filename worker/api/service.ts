/** Routes about the service itself. */
import { Hono } from "hono";
import * as z from "zod";
import type { Ports } from "../ports.ts";
import { readFleet } from "../store/fleet.ts";
import { describe } from "./describe.ts";
import type { AppEnv } from "./env.ts";

const Health = z.strictObject({ status: z.literal("ok"), head: z.int(), fleet: z.string() });

export function service(ports: Ports): Hono<AppEnv> {
  const api = new Hono<AppEnv>();
  api.get(
    "/healthz",
    describe("GET /healthz", "Is the service able to answer?", { 200: Health }),
    async (c) => {
      const { head } = await readFleet(ports.sql);
      return c.json({ status: "ok", head, fleet: ports.settings.fleet } satisfies z.infer<typeof Health>);
    },
  );
  return api;
}
