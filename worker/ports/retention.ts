/** How long what hosts and callers bring is kept: as settings of a deployment, with their bounds and defaults. */
import * as z from "zod";

const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

export const Retention = z.strictObject({
  /** Newest reports of a host; the last one of each host stays however old it is. */
  reports: whole(20, 1000).default(50),
  /** Days after which a report goes that is not its host's last. */
  reportDays: whole(1, 3650).default(30),
  /** Hours for which the answer to a request with an Idempotency-Key is given again. */
  answerHours: whole(1, 168).default(24),
  /** Days for which a bundle can be read that no host is served any more. */
  blobDays: whole(1, 3650).default(90),
});
export type Retention = z.infer<typeof Retention>;

export const defaultRetention: Retention = Retention.parse({});
