/** Arbitrary commits: a few rows of arbitrary intent changed as people change them, one way or the other. */
import fc from "fast-check";
import type { ChangedRow } from "#core/compile/index.ts";
import { arbitraryIntent } from "./arbitraries.ts";
import type { WrittenRow } from "./intent.ts";

type Of<K extends WrittenRow["kind"]> = Extract<WrittenRow, { readonly kind: K }>;
type Grant = Of<"service">["body"]["ingress"][number];

const roles = ["a", "b-1", "b_1", "C.d"];
const pick = <T>(items: readonly T[], how: number): T | undefined => items[how % items.length];

/** What somebody might do to a row; undefined deletes it. Not every commit of such changes compiles. */
function altered(
  row: WrittenRow,
  how: number,
  rows: readonly WrittenRow[],
): WrittenRow | undefined {
  if (how % 7 === 0) return undefined;
  switch (row.kind) {
    case "host": {
      const { addresses = [], roles: listed = [] } = row.body;
      const role = pick(roles, how) ?? "a";
      const other = listed.includes(role)
        ? listed.filter((each) => each !== role)
        : [...listed, role];
      const body = pick(
        [{ addresses: addresses.slice(1) }, { roles: other }, { labels: { rack: "b7" } }],
        how,
      );
      return { ...row, body: { ...row.body, ...body } };
    }
    case "zone": {
      const cidrs = row.body.cidrs ?? [];
      return {
        ...row,
        body: { cidrs: pick([[], ["10.8.0.0/23", "fd00:8::/64"], cidrs.slice(1)], how) ?? [] },
      };
    }
    case "service":
      return { ...row, body: alteredService(row.body, how) };
    case "member": {
      const others = rows.filter(
        (each) => each.kind === "overlay" && row.key.startsWith(`${each.key}/`),
      );
      const groups = others.flatMap((each) =>
        each.kind === "overlay" ? (each.body.groups ?? []) : [],
      );
      const moved = { ...row.body, group: pick(groups, how) ?? row.body.group };
      const fewer = { ...row.body, addresses: row.body.addresses?.slice(1) ?? [] };
      return { ...row, body: how % 3 === 0 ? fewer : moved };
    }
    case "overlay":
      return { ...row, body: alteredOverlay(row.body, how, rows) };
  }
}

function alteredService(
  { ingress, ...rest }: Of<"service">["body"],
  how: number,
): Of<"service">["body"] {
  if (how % 5 === 0) return { ...rest, ingress: ingress.slice(1) };
  if (how % 5 === 1) return { ingress };
  return {
    ...rest,
    ingress: ingress.map((grant, i) => ((how + i) % 3 === 0 ? grant : alteredGrant(grant, how))),
  };
}

/** The same grant said otherwise, widened, narrowed, lengthened or shortened. */
function alteredGrant({ port, proto, macro, expires_at, ...rest }: Grant, how: number): Grant {
  const what = macro === undefined ? { port, proto } : { macro };
  const dated = expires_at === undefined ? {} : { expires_at };
  switch (how % 6) {
    case 0:
      return { ...rest, ...what, expires_at: "2031-01-01T00:00:00Z" };
    case 1:
      return { ...rest, ...what };
    case 2:
      return { ...rest, ...dated, port: "50-443", proto: proto ?? "tcp" };
    case 3:
      return { ...rest, ...dated, port: 22, proto: proto ?? "tcp" };
    case 4:
      return { ...rest, ...dated, macro: "ssh" };
    default:
      return { ...what, ...dated, from: how % 4 === 0 ? "any" : "10.8.0.0/23" };
  }
}

function alteredOverlay(
  body: Of<"overlay">["body"],
  how: number,
  rows: readonly WrittenRow[],
): Of<"overlay">["body"] {
  const hosts = rows.filter((each) => each.kind === "host").map(({ key }) => key);
  const [first = "tun9", ...more] = body.interfaces;
  switch (how % 6) {
    case 0:
      return { ...body, host: pick(hosts, how) ?? body.host };
    case 1:
      return { ...body, policy: "full-isolation" };
    case 2:
      return { ...body, policy: "same-subnet" };
    case 3:
      return { ...body, policy: "group-based" };
    case 4:
      return { ...body, interfaces: more.length === 0 ? [first, "tun9"] : [first] };
    default:
      return { ...body, subnets: body.subnets.slice(body.subnets.length > 1 ? 1 : 0) };
  }
}

export interface ArbitraryCommit {
  readonly before: readonly WrittenRow[];
  readonly after: readonly WrittenRow[];
  readonly changes: readonly ChangedRow[];
}

/** A row that stands behind what some service names, and what it may become, so that some host feels it. */
interface Aimed {
  /** A host may stand behind a source, or become one of those that a service is for. */
  readonly as: "source host" | "target" | "zone" | "member";
  readonly row: WrittenRow;
  readonly next: WrittenRow;
}

/** Every change of one row by which a name that a service uses means something else. */
function aimedChanges(rows: readonly WrittenRow[]): readonly Aimed[] {
  const sources = rows.flatMap((row) => (row.kind === "service" ? row.body.ingress : []));
  const read = new Set(sources.map(({ from }) => from));
  const isRead = (kind: string, name: string): boolean =>
    read.has(`${kind}:${name}`) || read.has(name);
  const isFor = new Set(
    rows.flatMap((row) =>
      row.kind === "service"
        ? (row.body.to ?? [`role:${row.key}`]).flatMap((to) =>
            to.startsWith("role:") ? [to.slice(5)] : [],
          )
        : [],
    ),
  );
  const groups = [...read].flatMap((from) => (from.startsWith("group:") ? [from.slice(6)] : []));
  return rows.flatMap((row): readonly Aimed[] => {
    switch (row.kind) {
      case "host": {
        const { addresses = [], roles: listed = [] } = row.body;
        const toggled = roles.map((role) => ({
          role,
          next: listed.includes(role) ? listed.filter((each) => each !== role) : [...listed, role],
        }));
        const to = (as: Aimed["as"], body: Partial<Of<"host">["body"]>): Aimed => ({
          as,
          row,
          next: { ...row, body: { ...row.body, ...body } },
        });
        return [
          ...toggled
            .filter(({ role }) => isFor.has(role))
            .map(({ next }) => to("target", { roles: next })),
          ...toggled
            .filter(({ role }) => addresses.length > 0 && isRead("role", role))
            .map(({ next }) => to("source host", { roles: next })),
          ...(addresses.length > 0 && isRead("host", row.key)
            ? [to("source host", { addresses: addresses.slice(1) })]
            : []),
        ];
      }
      case "zone": {
        const cidrs = row.body.cidrs ?? [];
        const next = { ...row, body: { cidrs: cidrs.slice(1) } };
        return cidrs.length > 0 && isRead("zone", row.key) ? [{ as: "zone", row, next }] : [];
      }
      case "member": {
        const overlay = row.key.slice(0, row.key.indexOf("/"));
        return groups
          .map((name) => name.split("/"))
          .filter(([of, group]) => of === overlay && group !== row.body.group)
          .map(([, group = ""]) => ({
            as: "member",
            row,
            next: { ...row, body: { ...row.body, group } },
          }));
      }
      case "overlay":
      case "service":
        return [];
    }
  });
}

const oneWay = (rows: readonly WrittenRow[], other: readonly WrittenRow[], backwards: boolean) => ({
  before: backwards ? other : rows,
  after: backwards ? rows : other,
});

/** A few rows changed anyhow. */
const scattered = fc
  .record({
    rows: arbitraryIntent,
    picks: fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 3 }),
    backwards: fc.boolean(),
  })
  .map(({ rows, picks, backwards }): ArbitraryCommit => {
    const hows = new Map(picks.map(([at, how]) => [rows[at % rows.length], how]));
    const other = rows.flatMap((row) => {
      const how = hows.get(row);
      return (how === undefined ? row : altered(row, how, rows)) ?? [];
    });
    const changes = rows.filter((row) => hows.has(row)).map(({ kind, key }) => ({ kind, key }));
    return { ...oneWay(rows, other, backwards), changes };
  });

/** One row that services lean on; none where no service leans on any. */
const aimed = fc
  .record({ rows: arbitraryIntent, at: fc.nat(), backwards: fc.boolean() })
  .map(({ rows, at, backwards }): ArbitraryCommit => {
    // Kinds in turn, or the few members and zones would stand behind the many roles of hosts.
    const byKind = [...Map.groupBy(aimedChanges(rows), ({ as }) => as).values()];
    const one = pick(pick(byKind, at) ?? [], Math.floor(at / byKind.length));
    const other = rows.map((row) => (row === one?.row ? one.next : row));
    const changes = one === undefined ? [] : [{ kind: one.row.kind, key: one.row.key }];
    return { ...oneWay(rows, other, backwards), changes };
  });

/** Rows changed as people change them; one way or the other, so that rows come as well as go. */
export const arbitraryCommit: fc.Arbitrary<ArbitraryCommit> = fc.oneof(scattered, aimed);
