/**
 * What one route of the HTTP API takes and gives. The control plane reads requests by it, the OpenAPI document is made
 * of it, and the command line calls by it; none of them says it again.
 */
import type * as z from "zod";
import type { ProblemCode } from "../problems.ts";
import type { AnswerHeader, RequestHeader } from "./headers.ts";

/** Groups of routes, in the order in which the document shows them. */
export const tags = {
  intent: "Rows of intent of every kind, planned and committed",
  catalog: "Hosts, zones, services, overlays and their members, row by row",
  hosts: "Where hosts stand, and what they ran",
  rollouts: "How what is staged reaches hosts",
  trust: "Enrolment, the root of trust, and operators' signatures",
  operators: "Tokens and the audit log",
  service: "The service itself",
  agents: "What hosts call",
} as const;
export type Tag = keyof typeof tags;

/** An answer that is not JSON alone: a schema for each media type, null for text or bytes. */
export interface Content {
  readonly content: Readonly<Record<string, z.ZodType | null>>;
}

/** A schema for JSON; null for an answer without a body. */
export type Answer = z.ZodType | Content | null;

export interface Route {
  /** The operation's name, unique. */
  readonly id: string;
  readonly summary: string;
  readonly tag: Tag;
  /** Path parameters; a name that cannot exist is not found. */
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** Headers that it reads, besides those that every route reads. */
  readonly headers?: readonly RequestHeader[];
  /** What the body holds: JSON, in a form too where it says so. */
  readonly body?: z.ZodType;
  readonly form?: true;
  /** By status. */
  readonly answers: Readonly<Partial<Record<200 | 201 | 204 | 304, Answer>>>;
  readonly answerHeaders?: readonly AnswerHeader[];
  /** What it refuses, besides what follows from its access, parameters and body. */
  readonly problems?: readonly ProblemCode[];
}
