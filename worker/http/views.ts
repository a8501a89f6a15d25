/** What answers of every feature share: times, pages and warnings (schema/api). */
import type { Warning } from "#schema/api/common.ts";
import type { Diagnostic } from "#schema/refusals.ts";

export const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** `cursorOf` names the last item; a page that is not full is the last one. */
export const makePage = <T, V>(
  rows: readonly T[],
  limit: number,
  view: (row: T) => V,
  cursorOf: (row: T) => string,
) => {
  const last = rows.length < limit ? undefined : rows.at(-1);
  return { items: rows.map(view), next_cursor: last === undefined ? null : cursorOf(last) };
};

export const warningView = ({ severity, code, path, message, hosts }: Diagnostic): Warning => ({
  severity,
  code,
  path,
  message,
  ...(hosts === undefined ? {} : { hosts: [...hosts] }),
});
