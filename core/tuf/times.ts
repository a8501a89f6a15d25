/**
 * When a signed file is good: before its end, and no further from it than its role lives at most. A time that a thief
 * or a mistake put far ahead is believed nowhere, so nothing can be made to last for ever by one signature.
 */
import { parseUnixSeconds } from "#schema/time.ts";
import { longestLife, type Role } from "#schema/tuf.ts";
import { Refused } from "../refused.ts";

/** How far a reader's clock may be behind a signer's, milliseconds. */
const clockSkewMs = 86_400_000;

interface Dated {
  readonly version: number;
  readonly expires: string;
}

/** A signed time in milliseconds since the Unix epoch; of one that does not exist, which no reader lets through, 0. */
export const millisecondsOf = (time: string): number => 1000 * (parseUnixSeconds(time) ?? 0);

/** That a payload is past its end, or undefined. @param now milliseconds since the Unix epoch */
export const overFault = (role: Role, signed: Dated, now: number): string | undefined =>
  millisecondsOf(signed.expires) <= now
    ? `${role} ${signed.version} expired at ${signed.expires}`
    : undefined;

/** That a payload ends later than one made now would, or undefined. @param now milliseconds since the Unix epoch */
export const farFault = (role: Role, signed: Dated, now: number): string | undefined =>
  millisecondsOf(signed.expires) > now + longestLife[role] + clockSkewMs
    ? `${role} ${signed.version} ends ${signed.expires}, more than ${longestLife[role] / 86_400_000} days from now`
    : undefined;

interface DatedFile {
  readonly role: Role;
  readonly signed: Dated;
}

/** @throws Refused `metadata_expired` */
export function requireUnexpired({ role, signed }: DatedFile, now: number): void {
  const fault = overFault(role, signed, now);
  if (fault !== undefined) throw new Refused("metadata_expired", fault);
}

/** @throws Refused `time_far` */
export function requireNear({ role, signed }: DatedFile, now: number): void {
  const fault = farFault(role, signed, now);
  if (fault !== undefined) throw new Refused("time_far", fault);
}

/** That targets were not issued later than now. @throws Refused `time_far` */
export function requireIssued(issued: string, now: number): void {
  if (millisecondsOf(issued) > now + clockSkewMs)
    throw new Refused("time_far", `targets were issued ${issued}, more than a day from now`);
}
