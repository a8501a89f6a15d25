/** A root as people read it before they sign: who may sign, who did, until when, and what is another than before. */
import { farFault, millisecondsOf } from "#core/tuf/times.ts";
import { describeExpiry } from "#schema/expiry.ts";
import { type Role, roles } from "#schema/tuf.ts";
import { sha256Of } from "./name.ts";
import { type RootFile, rootFileText, signersAmong } from "./file.ts";
import { listKeyChanges } from "./succession.ts";
import { formatProperties, formatTable } from "#cli/text/table.ts";

/** One sentence from 60 days before a root's end on, or where it ends later than any agent believes. */
export const rootWarning = ({ signed }: RootFile, now: number): string | undefined =>
  farFault("root", signed, now) ??
  describeExpiry(
    `root version ${signed.version} (${signed.expires})`,
    millisecondsOf(signed.expires) - now,
    null,
  );

/** What `--json` prints. */
export function describeRoot(file: RootFile, now: number) {
  const { version, expires } = file.signed;
  return {
    version,
    expires,
    warning: rootWarning(file, now) ?? null,
    sha256: sha256Of(rootFileText(file)),
    roles: file.signed.roles,
    signed_by: signersAmong(file, file.signed),
  };
}

export function listRootLines(file: RootFile): readonly string[] {
  const { signed } = file;
  const signers = signersAmong(file, signed);
  const others = file.signatures.map(({ keyid }) => keyid).filter((id) => !signers.includes(id));
  const state = (role: Role, id: string): string =>
    role === "root" && signers.includes(id) ? "signed" : "";
  return [
    ...formatProperties([
      ["version", signed.version],
      ["expires", signed.expires],
      ["sha256", sha256Of(rootFileText(file))],
      [
        "signed by",
        `${signers.length} of its own root keys, ${signed.roles.root.threshold} are needed`,
      ],
      ...others.map((id) => ["", `and by ${id}, none of its root keys or not valid`] as const),
    ]),
    "",
    ...formatTable(
      ["ROLE", "THRESHOLD", "KEY", "SIGNED"],
      roles.flatMap((role) => {
        const { keyids, threshold } = signed.roles[role];
        return keyids.map(
          (id) => [role, `${threshold} of ${keyids.length}`, id, state(role, id)] as const,
        );
      }),
    ),
  ];
}

/** What differs from the root before, a line each; an empty list for a new expiry alone. */
export function listChangeLines(current: RootFile, next: RootFile): readonly string[] {
  return roles.flatMap((role) => {
    const before = current.signed.roles[role].threshold;
    const after = next.signed.roles[role].threshold;
    const { added, removed } = listKeyChanges(current.signed, next.signed, role);
    return [
      ...(before === after ? [] : [`~ ${role} threshold ${before} -> ${after}`]),
      ...removed.map((id) => `- ${role} key ${id}`),
      ...added.map((id) => `+ ${role} key ${id}`),
    ];
  });
}
