/**
 * The command line, from argv to a typed command; nothing is read or started here. Options mean the same everywhere.
 */
import { parseArgs } from "node:util";

export const commandNames = ["join", "adopt", "run", "once", "status", "render", "closed", "leave"] as const;
export type CommandName = (typeof commandNames)[number];

export interface Options {
  readonly stateDir: string;
  readonly guard: string;
  readonly nft: string;
  readonly ca: string | undefined;
  readonly url: string | undefined;
  readonly rootSha256: string | undefined;
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  /** How a host begins that joins; neither: it counts until `adopt --yes`. */
  readonly enforce: boolean;
  readonly closedFirst: boolean;
  readonly proposeGuard: boolean;
  readonly writeGuard: boolean;
  readonly lift: boolean;
  readonly yes: boolean;
  readonly json: boolean;
  /** How many of the last events to show. */
  readonly events: number;
}

export type Command =
  | { readonly kind: "help" | "version" }
  | { readonly kind: CommandName; readonly options: Options };

/** The command line was not understood; ends with status 2. The message never quotes an option's value. */
export class UsageError extends Error {}

/** 0 and 1 and 2 as everywhere; 3 lets a timer or a script tell "kept what it had" from "broken". */
export const exitCodes = { ok: 0, failed: 1, usage: 2, refused: 3 } as const;

export const help = `portcullis-agent: holds this host to the ruleset its control plane signed for it

  portcullis-agent join URL --root-sha256 HEX --token-file FILE   enrol this host
  portcullis-agent adopt      what the first bundle would cut, while nothing is cut yet (--yes: enforce from now on)
  portcullis-agent run        poll, verify, apply and report until SIGTERM; the rules stay
  portcullis-agent once       one such cycle
  portcullis-agent status     what this host runs, and what was refused (--json, --events N)
  portcullis-agent render     print what would be loaded for the bundle held; loads nothing
  portcullis-agent closed     load the closed ruleset now and keep it (--lift ends that)
  portcullis-agent leave      remove table inet portcullis; nothing else ever does

  --state-dir DIR     state of this agent, private to it     /var/lib/portcullis
  --guard FILE        this host's own policy                 /etc/portcullis/guard.yaml
  --nft PATH          the nft program                        nft
  --ca FILE           PEM certificates to trust besides the system's
  --url URL           the control plane, if not the one joined
  --root-sha256 HEX   digest of the root to pin, from 'portcullis enrol'
  --token-file FILE   file with the one-time token; '-' or nothing reads standard input
  --token TOKEN       the token itself; other users of this host can see it, so prefer the file
  --enforce           with 'join': enforce the first bundle at once; without it, count what it would cut until 'adopt --yes'
  --closed-first      with 'join': load the closed ruleset now, and enforce the first bundle; for images and new machines
  --propose-guard     with 'join': print a guard made from sshd and this ssh session, and do nothing else
  --write-guard       with 'join': write that guard where none is, and join
  --lift              with 'closed': go back to the signed ruleset
  --yes               with 'adopt': start enforcement
  --json              with 'status' and 'adopt': JSON
  --events N          with 'status': the last N events, up to 1000
  --help, --version

Exit status: 0 done; 1 failed; 2 usage; 3 refused by a check: the last committed ruleset stays.
`;

/** @throws UsageError */
export function parseCommand(argv: readonly string[]): Command {
  const { values, positionals } = parse(argv);
  if (values.help === true) return { kind: "help" };
  if (values.version === true) return { kind: "version" };
  const [name, url, ...rest] = positionals;
  const kind = commandNames.find((command) => command === name);
  if (kind === undefined) throw new UsageError("expected a command; see --help");
  if (rest.length > 0 || (url !== undefined && kind !== "join"))
    throw new UsageError("too many arguments; see --help");
  if (kind !== "join" && (values.enforce === true || values["closed-first"] === true))
    throw new UsageError("expected --enforce and --closed-first with join: a host begins once");
  const options: Options = {
    stateDir: values["state-dir"] ?? "/var/lib/portcullis",
    guard: values.guard ?? "/etc/portcullis/guard.yaml",
    nft: values.nft ?? "nft",
    ca: values.ca,
    url: url ?? values.url,
    rootSha256: values["root-sha256"],
    token: values.token,
    tokenFile: values["token-file"],
    enforce: values.enforce === true,
    closedFirst: values["closed-first"] === true,
    proposeGuard: values["propose-guard"] === true,
    writeGuard: values["write-guard"] === true,
    lift: values.lift === true,
    yes: values.yes === true,
    json: values.json === true,
    events: parseCount(values.events ?? "0"),
  };
  return { kind, options };
}

function parseCount(given: string): number {
  const count = /^\d{1,4}$/.test(given) ? Number(given) : NaN;
  if (!(count <= 1000)) throw new UsageError("expected --events with a number up to 1000");
  return count;
}

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        "state-dir": text,
        guard: text,
        nft: text,
        ca: text,
        url: text,
        "root-sha256": text,
        token: text,
        "token-file": text,
        enforce: flag,
        "closed-first": flag,
        "propose-guard": flag,
        "write-guard": flag,
        lift: flag,
        yes: flag,
        json: flag,
        events: text,
        help: { ...flag, short: "h" },
        version: flag,
      },
    });
  } catch (error) {
    // node's message names the option, but for a surplus argument it quotes it: that could be a token.
    const unknown = error instanceof Error ? /'(--?[a-z-]+)[ '=]/.exec(error.message)?.[1] : undefined;
    throw new UsageError(`not understood${unknown === undefined ? "" : `: ${unknown}`}; see --help`);
  }
}
