/** Rows of intent around one gateway and one overlay, and what the compiler finds in them. */
import { compile } from "#core/compile/index.ts";
import { snapshotOf, type WrittenRow } from "./intent.ts";

export const gw: WrittenRow = { kind: "host", key: "gw", body: {} };
export const overlay = (
  key: string,
  body: Partial<Extract<WrittenRow, { kind: "overlay" }>["body"]> = {},
): WrittenRow => ({
  kind: "overlay",
  key,
  body: {
    host: "gw",
    interfaces: ["tun0"],
    subnets: ["10.8.0.0/24", "fd00:8::/64"],
    policy: "group-based",
    groups: ["dev"],
    ...body,
  },
});
export const member = (key: string, group: string, ...addresses: string[]): WrittenRow => ({
  kind: "member",
  key,
  body: { group, addresses },
});
export const alice = member("office/alice", "dev", "10.8.0.2");

export function findings(rows: readonly WrittenRow[]): readonly string[] {
  const compiled = compile(snapshotOf(rows));
  return (compiled.ok ? compiled.warnings : compiled.diagnostics).map(
    ({ severity, code, path }) => `${severity} ${code} ${path}`,
  );
}
