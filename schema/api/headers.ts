/** Headers of requests and answers that mean something here, each with its form. */
import * as z from "zod";
import { headers as wire } from "../wire.ts";

interface Header {
  readonly description: string;
  readonly schema: z.ZodType;
  readonly example: string;
}

const EntityTag = z.string().max(200);
const Count = z.string().regex(/^\d{1,15}$/);

export const requestHeaders = {
  "If-Match": {
    description: "Write only if the row's ETag is one of these, or for * if there is one.",
    schema: EntityTag,
    example: '"7"',
  },
  "If-None-Match": {
    description:
      "For a write *: only if there is no such row. For a read: 304 if the ETag is one of these.",
    schema: EntityTag,
    example: "*",
  },
  "Idempotency-Key": {
    description: "A commit under a key is made once; sent again it gets the first answer.",
    schema: z.string().regex(/^[\x21-\x7e][\x20-\x7e]{0,127}$/),
    example: "6f1c0a52-8e0d-4b8e-9a4e-0f6f3a3b1c11",
  },
  "Portcullis-On-Behalf-Of": {
    description: "For whom the caller claims to write; recorded beside the token's own name.",
    schema: z.string().min(1).max(500),
    example: "carol@example.com",
  },
  "Last-Event-ID": {
    description: "The last event of the stream that the reader has.",
    schema: z.string().max(200),
    example: "5f2b7c9d0e1a4b3c8d7e6f5a4b3c2d1e",
  },
  [wire.seen]: {
    description: "Versions of the metadata that the host holds.",
    schema: z.string().regex(/^root=\d{1,15};timestamp=\d{1,15};targets=\d{1,15}$/),
    example: "root=1;timestamp=41;targets=17",
  },
  [wire.bundle]: {
    description: "Digest of the bundle that the host holds; it is not sent again.",
    schema: z.string().regex(/^[0-9a-f]{64}$/),
    example: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  },
  [wire.generation]: {
    description: "The generation of the fleet that the host knows.",
    schema: Count,
    example: "12",
  },
  [wire.renew]: {
    description: "1: more than half of the lease is gone, sign a fresh timestamp.",
    schema: z.literal("1"),
    example: "1",
  },
} as const satisfies Record<string, Header>;
export type RequestHeader = keyof typeof requestHeaders;

export const answerHeaders = {
  ETag: { description: "Names this version.", schema: EntityTag, example: '"7"' },
  Location: {
    description: "Where what was made stands.",
    schema: z.string().max(200),
    example: "/v1/rollouts/3",
  },
  [wire.generation]: {
    description: "The fleet's present generation.",
    schema: Count,
    example: "12",
  },
  [wire.pollAfter]: {
    description: "Seconds until the next poll that the control plane would like.",
    schema: Count,
    example: "30",
  },
} as const satisfies Record<string, Header>;
export type AnswerHeader = keyof typeof answerHeaders;
