/**
 * Requests that come before who asks is known: bounded by where they come from, as far as the adapter knows, which is
 * good for nothing else.
 */
import type { Context, MiddlewareHandler } from "hono";
import { formatNetwork, networkOf, parseAddress } from "#schema/address.ts";
import { openLimiter } from "./limiter.ts";
import type { Clock } from "#worker/ports/index.ts";
import type { AppEnv } from "./env.ts";

/** A fleet may come from one address, all at once after a power cut. */
const strangersOfSource = { atOnce: 2000, perSecond: 50 };

export function admitStrangers(clock: Clock): MiddlewareHandler<AppEnv> {
  const strangers = openLimiter(clock, strangersOfSource);
  return (c, next) => {
    strangers.admit(sourceOf(c));
    return next();
  };
}

/** Of the connection in the standalone process; on Cloudflare the header that its edge sets, over any that was sent. */
interface Bindings {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } };
}

/** An IPv4 address, or the /64 of an IPv6 one, which is one customer's (RFC 6177); the same word for all others. */
function sourceOf(c: Context<AppEnv>): string {
  const parsed = parseAddress(addressOf(c) ?? "");
  if (!parsed.ok) return "unknown";
  const { family, first } = parsed.value;
  return formatNetwork(networkOf(family, first, family === "v4" ? 32 : 64));
}

/** Where the request came from, as far as the adapter knows; an IPv4 address in IPv6 form is that IPv4 address. */
export function addressOf(c: Context<AppEnv>): string | undefined {
  const { incoming } = (c.env ?? {}) as Bindings;
  const said =
    incoming === undefined ? c.req.header("CF-Connecting-IP") : incoming.socket?.remoteAddress;
  return said?.slice(0, 64).replace(/^::ffff:/, "");
}
