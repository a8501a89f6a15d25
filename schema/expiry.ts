/**
 * When the end of signed metadata is worth a warning: the same in the agent, the control plane and the command line.
 * What people must sign is told 60, 30 and 7 days ahead. What a control plane signs by itself, long before its end, is
 * told when less than an eighth of its life is left: then it is not being renewed. Pure.
 */
import * as z from "zod";
import { Count, Time } from "./primitives.ts";
import { roles } from "./tuf.ts";

export const RoleExpiry = z.strictObject({
  role: z.enum(roles),
  expires_at: Time,
  /** From its signing to its end; null where people sign, whatever it is. */
  life_seconds: Count.nullable(),
});
export type RoleExpiry = z.infer<typeof RoleExpiry>;

const day = 86_400_000;
const warnedDays = [7, 30, 60] as const;

/** What a control plane signs alone lives shorter than this; milliseconds. */
const signedByPeople = 60 * day;

/**
 * One sentence, or undefined while there is time.
 * @param left milliseconds until the end
 * @param life milliseconds from signing to the end; null where people sign
 */
export function describeExpiry(
  what: string,
  left: number,
  life: number | null,
): string | undefined {
  if (left <= 0) return `${what} expired; hosts refuse it`;
  if (life !== null && life <= signedByPeople)
    return left * 8 < life
      ? `${what} has less than an eighth of its life left, and is not renewed`
      : undefined;
  const within = warnedDays.find((days) => left <= days * day);
  return within === undefined
    ? undefined
    : `${what} expires in ${Math.floor(left / day)} days (within ${within}); it must be signed anew before`;
}
