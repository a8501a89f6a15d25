/** The checked-in extract of the registry of service names, and which of its lines each macro of a catalog means. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** One line of a file in the form of /etc/services. */
interface Line {
  readonly name: string;
  readonly proto: string;
  readonly from: number;
  readonly to: number;
}

export const servicesIn = (text: string): readonly Line[] =>
  [...text.matchAll(/^(\S+)\s+(\d+)(?:-(\d+))?\/(\w+)/gm)].map(
    ([, name = "", from, to, proto = ""]) => ({
      name,
      proto,
      from: Number(from),
      to: Number(to ?? from),
    }),
  );

export const registry = servicesIn(readFileSync(join(import.meta.dirname, "services.txt"), "utf8"));

/** By macro, `name/protocol` of each port. */
const meanings: Readonly<Record<string, string>> = {
  dns: "domain/tcp domain/udp",
  http: "http/tcp",
  https: "https/tcp",
  "https-quic": "https/tcp https/udp",
  imaps: "imaps/tcp",
  ldap: "ldap/tcp",
  ldaps: "ldaps/tcp",
  mosh: "-mosh/udp",
  mqtt: "mqtt/tcp",
  mqtts: "secure-mqtt/tcp",
  mysql: "mysql/tcp",
  nfs: "nfs/tcp",
  "node-exporter": "-node-exporter/tcp",
  ntp: "ntp/udp",
  openvpn: "openvpn/tcp openvpn/udp",
  postgres: "postgresql/tcp",
  rdp: "ms-wbt-server/tcp ms-wbt-server/udp",
  redis: "redis/tcp",
  smb: "microsoft-ds/tcp",
  smtp: "smtp/tcp",
  snmp: "snmp/udp",
  ssh: "ssh/tcp",
  submission: "submission/tcp",
  submissions: "submissions/tcp",
  syslog: "syslog/udp",
  "syslog-tls": "syslog-tls/tcp",
  wireguard: "-wireguard/udp",
};

export const macroNamesHere = Object.keys(meanings);

/** What a macro stands for, by the registry alone. @throws RangeError for one that has no meaning here */
export function portsOfMacro(macro: string): readonly Omit<Line, "name">[] {
  const meaning = meanings[macro];
  if (meaning === undefined) throw new RangeError(`no such macro: ${macro}`);
  return meaning.split(" ").map((service) => {
    const found = registry.find(({ name, proto }) => `${name}/${proto}` === service);
    if (found === undefined) throw new RangeError(`no such service: ${service}`);
    const { proto, from, to } = found;
    return { proto, from, to };
  });
}
