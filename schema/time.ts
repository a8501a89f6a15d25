/**
 * A UTC time as people write it, in Unix seconds. By arithmetic, because pure rooms have no `Date`: the days are those
 * of the proleptic Gregorian calendar, and a leap second does not exist (POSIX.1-2024 §4.19).
 */
import * as z from "zod";

/** The kernel's clock is signed nanoseconds; nft 1.0.6 wraps what is larger without a word. In 2262. */
export const unixSecondsMax = 9_223_372_036;

const form = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})Z$/;

/** Of a time such as `2026-12-31T23:59:59Z`; undefined for anything else, and outside 1970 to 2262. */
export function parseUnixSeconds(text: string): number | undefined {
  const fields = form.exec(text)?.slice(1).map(Number);
  if (fields === undefined) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = fields;
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const seconds = countDaysBefore(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
  return seconds >= 0 && seconds <= unixSecondsMax ? seconds : undefined;
}

const expectedTime = "expected a time such as 2027-09-30T12:00:00Z";

/**
 * `YYYY-MM-DDTHH:MM:SSZ`, on a day and at a time that exist. What readers make of other forms, of 31 September and of
 * 24 o'clock differs: some refuse it, some take the next day.
 */
export const UtcTime = z
  .string()
  .regex(form, { error: expectedTime, abort: true })
  .refine((text) => parseUnixSeconds(text) !== undefined, { error: expectedTime });

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

const monthLengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
const daysIn = (year: number, month: number): number =>
  month === 2 && isLeap(year) ? 29 : (monthLengths[month - 1] ?? 0);

/** Days from 1970-01-01. */
function countDaysBefore(year: number, month: number, day: number): number {
  const past = year - 1;
  const leaps = Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400);
  const months = Array.from({ length: month - 1 }, (_, i) => daysIn(year, i + 1));
  return past * 365 + leaps + months.reduce((sum, days) => sum + days, 0) + day - 1 - 719_162;
}
