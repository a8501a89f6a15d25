/**
 * Well-known services by name, so that a catalog can say `macro: dns` and mean both protocols. Data only; ports are
 * IANA's registry of service names unless a line says otherwise.
 */
export interface MacroPort {
  readonly proto: "tcp" | "udp";
  readonly from: number;
  readonly to: number;
}

const tcp = (from: number, to: number = from): MacroPort => ({ proto: "tcp", from, to });
const udp = (from: number, to: number = from): MacroPort => ({ proto: "udp", from, to });

export const macros = {
  dns: [tcp(53), udp(53)],
  http: [tcp(80)],
  https: [tcp(443)],
  "https-quic": [tcp(443), udp(443)],
  imaps: [tcp(993)],
  ldap: [tcp(389)],
  ldaps: [tcp(636)],
  mosh: [udp(60_000, 61_000)],
  mqtt: [tcp(1883)],
  mqtts: [tcp(8883)],
  mysql: [tcp(3306)],
  nfs: [tcp(2049)],
  "node-exporter": [tcp(9100)],
  ntp: [udp(123)],
  openvpn: [tcp(1194), udp(1194)],
  postgres: [tcp(5432)],
  rdp: [tcp(3389), udp(3389)],
  redis: [tcp(6379)],
  smb: [tcp(445)],
  smtp: [tcp(25)],
  snmp: [udp(161)],
  ssh: [tcp(22)],
  submission: [tcp(587)],
  submissions: [tcp(465)],
  syslog: [udp(514)],
  "syslog-tls": [tcp(6514)],
  wireguard: [udp(51_820)],
} as const satisfies Readonly<Record<string, readonly MacroPort[]>>;

export type Macro = keyof typeof macros;
export const macroNames = Object.keys(macros) as readonly Macro[];
