/**
 * What a program's environment may do to its connections, and this program goes along with none of: named and refused,
 * with the remedy, so that nobody takes it for done. Pure. The package's unit clears what is named here.
 */

/** Options of Node that weaken a program which bears them: other code in it, a way into it, its keys in a file, old ciphers. */
const weakening: readonly string[] = [
  "--require",
  "-r",
  "--import",
  "--loader",
  "--experimental-loader",
  "--inspect",
  "--inspect-brk",
  "--inspect-port",
  "--inspect-wait",
  "--insecure-http-parser",
  "--openssl-config",
  "--openssl-legacy-provider",
  "--openssl-shared-config",
  "--security-revert",
  "--tls-cipher-list",
  "--tls-keylog",
  "--tls-max-v1.2",
  "--tls-min-v1.0",
  "--tls-min-v1.1",
];

type Environment = Readonly<Record<string, string | undefined>>;

/** The first thing that is not gone along with, and what to do, in one sentence; undefined when there is none. */
export function findEnvironmentFault(env: Environment, url: URL): string | undefined {
  return findOptionFault(env["NODE_OPTIONS"] ?? "") ?? verifyFault(env) ?? findProxyFault(env, url);
}

function findOptionFault(options: string): string | undefined {
  const given = options.split(/\s+/).map((word) => word.replace(/=.*/s, "").replaceAll('"', ""));
  const found = given.find((option) => weakening.includes(option.replaceAll("_", "-")));
  return found === undefined
    ? undefined
    : `NODE_OPTIONS has ${found}, which weakens this program: unset NODE_OPTIONS`;
}

const verifyFault = (env: Environment): string | undefined =>
  env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0"
    ? "NODE_TLS_REJECT_UNAUTHORIZED=0 is not gone along with: unset it, and name the control plane's CA with --ca"
    : undefined;

const proxies = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] as const;

/** The guard and the closed ruleset leave the way open to the control plane itself, and to no proxy. */
function findProxyFault(env: Environment, url: URL): string | undefined {
  const name = proxies.find((proxy) => (env[proxy] ?? "") !== "");
  if (name === undefined || url.protocol !== "https:" || isExempt(env, url)) return undefined;
  return (
    `${name} is set, and this agent goes through no proxy: its guard leaves the way open to the control plane itself; ` +
    `unset it, or name ${url.hostname} in NO_PROXY`
  );
}

/** NO_PROXY: hosts or the ends of their names, with a port or without, separated by commas; `*` for all. */
function isExempt(env: Environment, { hostname, port }: URL): boolean {
  const host = hostname.replace(/^\[|\]$/g, "");
  return `${env["NO_PROXY"] ?? ""},${env["no_proxy"] ?? ""}`
    .toLowerCase()
    .split(/[,\s]+/)
    .some((entry) => entry === "*" || covers(entry, host, port === "" ? "443" : port));
}

function covers(entry: string, host: string, port: string): boolean {
  // An address of IPv6 has colons of its own, and stands in brackets before a port.
  const [, bracketed, plain = entry, only = port] =
    /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  const name = (bracketed ?? plain).replace(/^\*?\./, "");
  return name !== "" && only === port && (host === name || host.endsWith(`.${name}`));
}
