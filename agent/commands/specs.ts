/** What each of the agent's commands takes: its arguments, its help and its completions follow from this. */
import { shells } from "#args/completion.ts";
import { flag, type Spec, value } from "#args/spec.ts";

const where = {
  "state-dir": value("DIR", "state of this agent, private to it (default: /var/lib/portcullis)"),
  guard: value("FILE", "this host's own policy (default: /etc/portcullis/guard.yaml)"),
  nft: value("PATH", "the nft program (default: nft)"),
} as const;
const url = { url: value("URL", "the control plane, if not the one joined") } as const;
const json = { json: flag("the same as JSON") } as const;

const joining = {
  url: value("URL", "the control plane, in place of the argument"),
  "root-sha256": value("HEX", "digest of the root to pin, from 'portcullis enrol'"),
  "token-file": value("FILE", "file with the one-time token; - or nothing reads standard input"),
  token: value(
    "TOKEN",
    "the token itself; other users of this host can see it, so prefer the file",
  ),
  ca: value("FILE", "PEM certificates to trust besides the system's"),
  enforce: flag(
    "enforce the first bundle at once; without it, count what it would cut until 'adopt --yes'",
  ),
  "closed-first": flag(
    "load the closed ruleset now, and enforce the first bundle; for images and new machines",
  ),
  "propose-guard": flag("print a guard made from sshd and this ssh session, and do nothing else"),
  "write-guard": flag("write that guard where none is, and join"),
} as const;

const closing = { lift: flag("go back to the signed ruleset") } as const;
const watching = { events: value("N", "the last N events too, up to 1000") } as const;
const adopting = { yes: flag("start enforcement") } as const;

export const refusedToo =
  "0 done; 1 failed; 2 called wrongly; 3 refused by a check: the last committed ruleset stays";

export const specs = {
  join: {
    name: "join",
    summary: "enrol this host",
    about: [
      "Enrols this host with a one-time token, which 'portcullis enrol HOST' prints with the digest of the root to pin. " +
        "Nothing is cut until a person says so, unless --enforce or --closed-first is given.",
    ],
    positionals: { url: { value: "URL" } },
    options: { ...joining, ...where },
    examples: [
      "join https://fw.example.com --root-sha256 HEX < token",
      "join --propose-guard",
      "join https://fw.example.com --root-sha256 HEX --enforce",
    ],
    exits: refusedToo,
  },
  adopt: {
    name: "adopt",
    summary: "what the first bundle would cut, while nothing is cut yet",
    positionals: {},
    options: { ...adopting, ...json, ...url, ...where },
    examples: ["adopt", "adopt --yes"],
    exits: refusedToo,
  },
  run: {
    name: "run",
    summary: "poll, verify, apply and report until SIGTERM; the rules stay",
    positionals: {},
    options: { ...url, ...where },
    examples: ["run"],
    exits: refusedToo,
  },
  once: {
    name: "once",
    summary: "one such cycle",
    about: ["Polls, verifies, applies and reports once."],
    positionals: {},
    options: { ...url, ...where },
    examples: ["once"],
    exits: refusedToo,
  },
  status: {
    name: "status",
    summary: "what this host runs, and what was refused",
    positionals: {},
    options: { ...watching, ...json, ...where },
    examples: ["status", "status --json --events 20"],
  },
  render: {
    name: "render",
    summary: "print what would be loaded for the bundle held; loads nothing",
    positionals: {},
    options: { ...url, ...where },
    examples: ["render"],
    exits: refusedToo,
  },
  closed: {
    name: "closed",
    summary: "load the closed ruleset now and keep it",
    about: ["Loads the closed ruleset now and keeps it, over restarts and reboots, until --lift."],
    positionals: {},
    options: { ...closing, ...where },
    examples: ["closed", "closed --lift"],
    exits: refusedToo,
  },
  leave: {
    name: "leave",
    summary: "remove table inet portcullis; nothing else ever does",
    positionals: {},
    options: { ...where },
    examples: ["leave"],
  },
  completion: {
    name: "completion",
    summary: "print completions for a shell",
    positionals: {
      shell: {
        value: "SHELL",
        choices: shells,
        required: true,
        ask: "which shell? bash, zsh or fish",
      },
    },
    options: {},
    examples: ["completion bash > /etc/bash_completion.d/portcullis-agent"],
  },
} as const satisfies Record<string, Spec>;
