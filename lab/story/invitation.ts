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
  printCommand(print, `ip netns exec ${alice.namespace} ping -c 1 -W 1 ${bob.address.v4}`);
  print.line("  Move alice to ops, and ask again within a poll:");
  printCurl(print, control, "/v1/overlays/office/members/alice", [
    "-X PUT -H 'content-type: application/json'",
    `-d '{"group":"ops","addresses":["${alice.address.v4}","${alice.address.v6}"]}'`,
  ]);
  print.line("  Edit lab/examples/services.yaml, see what it would mean, and apply it:");
  printCli(print, control, "plan -f lab/examples --adopt");
  printCli(print, control, "apply -f lab/examples --adopt");
  print.line("  What does the gateway run, and who changed what?");
  printCommand(
    print,
    `${node} agent/main.ts status --state-dir ${formatPath(join(gateway.folder, "state"))}`,
  );
  printCommand(print, `ip netns exec ${gateway.namespace} nft list table inet portcullis`);
  printCurl(print, control, "/v1/revisions");
  printCurl(print, control, "/v1/audit");
}

/** What remains to be seen without root or nft. */
export function showWithoutLab(control: ControlPlane, print: Printer): void {
  print.heading(`The control plane runs without the lab. ${stay}`);
  showAddresses(control, print);
  print.line("");
  print.line("  Declare a fleet and its catalog, and read the rules that its gateway would run:");
  printCli(print, control, "apply -f lab/examples");
  printCli(print, control, "ruleset gw --format nft");
}

/** A path as a person would type it here. */
function formatPath(path: string): string {
  const here = relative(process.cwd(), path);
  return here.startsWith("..") ? path : here;
}

function showAddresses(control: ControlPlane, print: Printer): void {
  print.line(
    { text: "  API", width: 18, tone: "dim" },
    `${control.url}   (${control.url}/openapi.json)`,
  );
  print.line({ text: "  operator token", width: 18, tone: "dim" }, formatPath(control.tokenFile));
}

function printCommand(print: Printer, text: string): void {
  print.line({ text: "    ", tone: "dim" }, text);
}

const node = "node_modules/.bin/node";

/** One of the operator's commands, against this control plane. */
function printCli(print: Printer, control: ControlPlane, args: string): void {
  const where = `--url ${control.url} --token-file ${formatPath(control.tokenFile)}`;
  printCommand(print, `${node} cli/main.ts ${args} ${where}`);
}

function printCurl(
  print: Printer,
  control: ControlPlane,
  path: string,
  more: readonly string[] = [],
): void {
  printCommand(
    print,
    `curl -s -H "Authorization: Bearer $(cat ${formatPath(control.tokenFile)})" \\`,
  );
  for (const part of more) printCommand(print, `  ${part} \\`);
  printCommand(print, `  '${control.url}${path}'`);
}
