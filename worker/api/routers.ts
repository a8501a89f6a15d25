/** Every router of the application. A new one is mounted here; its routes must stand in the access table. */
import type { Hono } from "hono";
import type { Ports } from "../ports.ts";
import type { AppEnv } from "./env.ts";
import { service } from "./service.ts";

export const routers = (ports: Ports): readonly Hono<AppEnv>[] => [service(ports)];
