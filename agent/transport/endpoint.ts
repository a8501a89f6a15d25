/**
 * Where the control plane is. https and nothing else, but for loopback, where there is no wire to listen on.
 */
import { Refused } from "#agent/machine/refusal.ts";

/** The control plane's base address: scheme and authority, and a path without a trailing slash. */
export interface Endpoint {
  readonly url: string;
}

/** @throws Refused `unreachable`, saying what was expected */
export function parseEndpoint(text: string): Endpoint {
  if (!URL.canParse(text))
    throw new Refused("unreachable", "expected a URL such as https://control.example.net");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    throw new Refused("unreachable", "expected a URL without user, password, query or fragment");
  const loopback = url.protocol === "http:" && isLoopback(url.hostname);
  if (url.protocol !== "https:" && !loopback)
    throw new Refused("unreachable", "expected https; plain http is for loopback addresses only");
  return { url: `${url.origin}${url.pathname.replace(/\/+$/, "")}` };
}

/** `URL` has already made 127.1, 0x7f000001 and the like into dotted decimal. */
const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
