/** How the compiler words a finding. Errors stop a revision, warnings do not. */
import type { Diagnostic, DiagnosticCode } from "#schema/refusals.ts";

export const error = (code: DiagnosticCode, path: string, message: string): Diagnostic => ({
  severity: "error",
  code,
  path,
  message,
});

export const warning = (code: DiagnosticCode, path: string, message: string): Diagnostic => ({
  severity: "warning",
  code,
  path,
  message,
});
