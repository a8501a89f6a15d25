/** What the lab says when the story is over and it stays up: where things are, and what to try. No secret is printed. */
import { join, relative } from "node:path";
import type { Lab } from "./lab.ts";
import type { Printer } from "#lab/run/print.ts";
import type { ControlPlane } from "#lab/fleet/settings.ts";

const stay = "Ctrl-C ends it.";

/** Try-it lines for a lab that is up. */
export function showInvitation(lab: Lab, print: Printer): void {
  const { control, gateway, network } = lab;
  print.heading(`The lab stays up. ${stay}`);
  showAddresses(control, print);
  const [alice, bob] = [network.station("alice"), network.station("bob")];
  print.line("");
  print.line("  Does alice reach bob?");
  command(print, `ip netns exec ${alice.namespace} ping -c 1 -W 1 ${bob.address.v4}`);
  print.line("  Move alice to ops, and ask again within a poll:");
  curl(print, control, "/v1/overlays/office/members/alice", [
    "-X PUT -H 'content-type: application/json'",
    `-d '{"group":"ops","addresses":["${alice.address.v4}","${alice.address.v6}"]}'`,
  ]);
  print.line("  Edit lab/examples/services.yaml, see what it would mean, and apply it:");
  cli(print, control, "plan -f lab/examples --adopt");
  cli(print, control, "apply -f lab/examples --adopt");
  print.line("  What does the gateway run, and who changed what?");
  command(
    print,
    `${node} agent/main.ts status --state-dir ${shown(join(gateway.folder, "state"))}`,
  );
  command(print, `ip netns exec ${gateway.namespace} nft list table inet portcullis`);
  curl(print, control, "/v1/revisions");
  curl(print, control, "/v1/audit");
}

/** What remains to be seen without root or nft. */
export function showWithoutLab(control: ControlPlane, print: Printer): void {
  print.heading(`The control plane runs without the lab. ${stay}`);
  showAddresses(control, print);
  print.line("");
  print.line("  Declare a fleet and its catalog, and read the rules that its gateway would run:");
  cli(print, control, "apply -f lab/examples");
  cli(print, control, "ruleset gw --format nft");
}

/** A path as a person would type it here. */
function shown(path: string): string {
  const here = relative(process.cwd(), path);
  return here.startsWith("..") ? path : here;
}

function showAddresses(control: ControlPlane, print: Printer): void {
  print.line(
    { text: "  API", width: 18, tone: "dim" },
    `${control.url}   (${control.url}/openapi.json)`,
  );
  print.line({ text: "  operator token", width: 18, tone: "dim" }, shown(control.tokenFile));
}

function command(print: Printer, text: string): void {
  print.line({ text: "    ", tone: "dim" }, text);
}

const node = "node_modules/.bin/node";

/** One of the operator's commands, against this control plane. */
function cli(print: Printer, control: ControlPlane, args: string): void {
  const where = `--url ${control.url} --token-file ${shown(control.tokenFile)}`;
  command(print, `${node} cli/main.ts ${args} ${where}`);
}

function curl(
  print: Printer,
  control: ControlPlane,
  path: string,
  more: readonly string[] = [],
): void {
  command(print, `curl -s -H "Authorization: Bearer $(cat ${shown(control.tokenFile)})" \\`);
  for (const part of more) command(print, `  ${part} \\`);
  command(print, `  '${control.url}${path}'`);
}
