/**
 * What a guard refuses of a ruleset's overlays: devices by which a bundle may not judge what this host forwards, and
 * subnets that are everybody. Pure.
 */
import { contains, requireNetwork, type Network } from "#schema/address.ts";
import { forwardOf, type Guard } from "#schema/guard.ts";
import { compareText } from "#schema/order.ts";
import type { Ruleset, Scope } from "#schema/ruleset.ts";
import { type GuardRefusal, formatNames } from "./guard-refusal.ts";
import { crowdOf } from "./crowd.ts";

type Overlay = Extract<Scope, { readonly kind: "overlay" }>;

export function forwardRefusals({ scopes }: Ruleset, guard: Guard): readonly GuardRefusal[] {
  const { interfaces, subnets } = forwardOf(guard);
  const isNamed = namedBy(interfaces);
  const overlays = scopes.filter((scope) => scope.kind === "overlay");
  const admitted = subnets.map(requireNetwork);
  return [
    ...makeRefusals(
      "forward.interfaces",
      overlays.map((overlay) => ({
        overlay,
        things: overlay.interfaces.filter((name) => !isNamed(name)),
      })),
      (things) =>
        `the bundle judges what is forwarded by ${things}, the guard lets it do so by ${interfaces.join(", ")}`,
    ),
    ...makeRefusals(
      "forward.subnets",
      overlays.map((overlay) => ({ overlay, things: wideOf(overlay.subnets, admitted) })),
      (things) => `the bundle has an overlay of ${things}, which are as wide as everybody`,
    ),
  ];
}

/** @param patterns names of devices, or what they begin with and a `*` */
function namedBy(patterns: readonly string[]): (name: string) => boolean {
  const names = new Set(patterns);
  const beginnings = patterns.filter((each) => each.endsWith("*")).map((each) => each.slice(0, -1));
  return (name) => names.has(name) || beginnings.some((beginning) => name.startsWith(beginning));
}

/** Those of an overlay's subnets that the guard does not name, where they are everybody or one of them is too wide. */
function wideOf(subnets: readonly string[], admitted: readonly Network[]): readonly string[] {
  const others = subnets.filter(
    (subnet) => !admitted.some((network) => contains(network, requireNetwork(subnet))),
  );
  const { everybody, wide } = crowdOf(others, others.length);
  return everybody || wide ? others : [];
}

interface Found {
  readonly overlay: Overlay;
  readonly things: readonly string[];
}

function makeRefusals(
  line: "forward.interfaces" | "forward.subnets",
  all: readonly Found[],
  message: (things: string) => string,
): readonly GuardRefusal[] {
  const found = all.filter(({ things }) => things.length > 0);
  const things = [...new Set(found.flatMap((one) => one.things))];
  if (things.length === 0) return [];
  const rows = found.map(({ overlay }) => `overlays/${overlay.name}`).sort(compareText);
  return [{ line, things, rows, message: message(formatNames(things)) }];
}
