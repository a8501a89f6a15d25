/** The types of a route's parts, from the table of routes. Types only. */
import type * as z from "zod";
import type { RouteName } from "./access.ts";
import type { RequestHeader } from "./headers.ts";
import type { Content, Route } from "./route.ts";
import type { Routes } from "./routes/index.ts";

type Part<N extends RouteName, P extends keyof Route> = Routes[N] extends {
  readonly [K in P]: infer S;
}
  ? S
  : undefined;
type Output<S> = S extends z.ZodType ? z.output<S> : undefined;

/** What a route is given, as the control plane reads it. */
export interface Given<N extends RouteName> {
  readonly params: Output<Part<N, "params">>;
  readonly query: Output<Part<N, "query">>;
  readonly body: Output<Part<N, "body">>;
}

/** Texts and numbers by the names of an object's fields. */
type Values<S, V> = S extends z.ZodObject<infer Shape> ? { readonly [K in keyof Shape]: V } : never;

/** What a caller gives: what the route needs, and what it may leave out. */
export type Asked<N extends RouteName> = (Part<N, "params"> extends z.ZodType
  ? { readonly params: Values<Part<N, "params">, string | number> }
  : { readonly params?: never }) &
  (Part<N, "body"> extends z.ZodType
    ? { readonly body: z.input<Part<N, "body"> & z.ZodType> }
    : { readonly body?: never }) &
  (Part<N, "query"> extends z.ZodType
    ? { readonly query?: Partial<Values<Part<N, "query">, string | number | undefined>> }
    : { readonly query?: never }) & {
    readonly headers?: Readonly<Partial<Record<RequestHeader, string>>>;
  };

type JsonOf<A> = A extends z.ZodType
  ? A
  : A extends Content
    ? A["content"] extends { readonly "application/json": infer S }
      ? S
      : never
    : never;
type Done<N extends RouteName> = Routes[N]["answers"][keyof Routes[N]["answers"] &
  (200 | 201 | 204)];

/** What a route answers when it has done what was asked, as JSON; undefined where there is nothing to say. */
export type Answered<N extends RouteName> =
  JsonOf<Done<N>> extends infer S ? (S extends z.ZodType ? z.output<S> : undefined) : never;

/** Routes that answer pages of a list. */
export type ListRoute = {
  [N in RouteName]: Answered<N> extends { readonly items: readonly unknown[] } ? N : never;
}[RouteName];
/** One item of such a list. */
export type ItemOf<N extends ListRoute> =
  Answered<N> extends { readonly items: readonly (infer T)[] } ? T : never;
