/** The page of codes: what a program may branch on, with cause and remedy, as `schema/` says them. */
import { findingEntry } from "#schema/diagnostics.ts";
import { hostWarningCodes, hostWarningText } from "#schema/api/hosts.ts";
import { problemCodes, problemEntry } from "#schema/problems.ts";
import {
  findingCodes,
  guardLineNames,
  refusalCodes,
  refusalEntry,
  remedyOf,
} from "#schema/refusals.ts";
import { code, made, page, table } from "./markdown.ts";

export const codesPage = (): string =>
  page(
    made(
      "`schema/refusals.ts`, `schema/problems.ts`, `schema/diagnostics.ts` and `schema/api/hosts.ts`",
    ),
    "# Codes",
    "Codes do not change. Messages are for people and may change.",
    "## What an agent refuses",
    "They stand in the agent's log, in `portcullis-agent status`, in reports and in `portcullis hosts HOST`.",
    table(
      ["code", "class", "cause", "remedy"],
      refusalCodes.map((name) => {
        const { class: kind, cause, remedy } = refusalEntry(name);
        return [code(name), kind, cause, remedy];
      }),
    ),
    "## Warnings about hosts",
    "`portcullis hosts` shows them, and `portcullis_host_warnings{code}` counts them.",
    table(
      ["code", "what it means, and what to do"],
      hostWarningCodes.map((name) => [code(name), hostWarningText(name)]),
    ),
    "## Lines of a guard",
    "`guard_refused` names the line of the guard that does not admit a bundle.",
    table(
      ["line", "what it means, and what to do"],
      guardLineNames.map((line) => [code(line), remedyOf("guard_refused", line)]),
    ),
    "## What the control plane finds in intent, in a root and in signatures",
    "A finding names its path. An error stops the whole commit; a warning does not.",
    table(
      ["code", "severity", "cause", "remedy"],
      findingCodes.map((name) => {
        const { severity, cause, remedy } = findingEntry(name);
        return [code(name), severity, cause, remedy];
      }),
    ),
    "## What the control plane refuses",
    "The body is `application/problem+json` (RFC 9457); `code` is one of these, `errors` has the findings.",
    table(
      ["code", "status", "class", "cause", "remedy"],
      problemCodes.map((name) => {
        const { status, class: kind, title, remedy } = problemEntry(name);
        return [code(name), String(status), kind, `${title}.`, remedy];
      }),
    ),
  );
