/** A refusal on its way to the app, which answers it (`worker/http/problem.ts`): a closed code, and what is said with it. */
import type { Finding } from "#schema/api/common.ts";
import type { ProblemCode } from "#schema/problems.ts";

export interface ProblemDetail {
  readonly detail?: string;
  readonly errors?: readonly Finding[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a host's name means nothing without. */
export const notDeclared: ProblemDetail = {
  detail: "This host is not declared. Declare it first, in a catalog or by PUT /v1/hosts/NAME.",
};

export const noRollout: ProblemDetail = { detail: "There is no rollout of this number." };

/** A refusal from below the routes; `createApp` turns it into its response. */
export class Refused extends Error {
  readonly code: ProblemCode;
  readonly more: ProblemDetail;

  constructor(code: ProblemCode, more: ProblemDetail = {}) {
    super(code);
    this.name = "Refused";
    this.code = code;
    this.more = more;
  }
}
