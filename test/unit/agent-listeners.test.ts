/** What counts as listening, by the kernel's own tables: real sockets of this process, and lines as kernels print them. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Listener,
  readListeners,
  parseListeners,
  parsePortRange,
  processNames,
} from "#agent/observe/listeners.ts";

const given = { first: 32_768, last: 60_999 };

describe("a table of sockets", () => {
  const line = (local: string, state: string): string =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 1603 1 0 100 0`;
  const read = (protocol: "tcp" | "udp", ...lines: readonly string[]) =>
    parseListeners(protocol, ["  sl  local_address rem_address   st", ...lines], given).map(
      ({ address, port, ephemeral, inode }) => [address, port, ephemeral, inode],
    );

  it("is read word by word, each in the machine's own order", () => {
    expect(
      read(
        "tcp",
        line("0500A8C0:01BB", "0A"),
        line("B80D0120000000000000000001000000:0016", "0A"),
        line("0000000000000000FFFF00000500A8C0:0050", "0A"),
      ),
    ).toEqual([
      ["192.168.0.5", 443, false, 1603],
      ["2001:db8::1", 22, false, 1603],
      ["192.168.0.5", 80, false, 1603],
    ]);
  });

  it("holds nothing for what is connected, closing or only on the loopback", () => {
    expect(
      read(
        "tcp",
        line("0500A8C0:01BB", "01"),
        line("0500A8C0:01BB", "06"),
        line("0100007F:01BB", "0A"),
        line("00000000000000000000000001000000:01BB", "0A"),
        line("0000000000000000FFFF00000100007F:01BB", "0A"),
      ),
    ).toEqual([]);
    expect(read("udp", line("0500A8C0:01BB", "01"), line("00000000:0000", "07"))).toEqual([]);
  });

  it("tells a UDP port that may be a client's, and no TCP port", () => {
    expect(read("udp", line("00000000:8000", "07"), line("00000000:7FFF", "07"))).toEqual([
      ["0.0.0.0", 32_768, true, 1603],
      ["0.0.0.0", 32_767, false, 1603],
    ]);
    expect(read("tcp", line("00000000:8000", "0A"))).toEqual([["0.0.0.0", 32_768, false, 1603]]);
    expect(parsePortRange("32768\t60999\n")).toEqual(given);
  });
});

describe("what listens here", () => {
  const closing: (() => Promise<unknown>)[] = [];
  const ports = { all4: 0, all6: 0, loopback: 0, udp: 0, connected: 0 };
  let found: readonly Listener[] = [];

  beforeAll(async () => {
    const listen = async (address: string): Promise<number> => {
      const server = createServer((socket) => socket.on("error", () => socket.destroy()));
      closing.push(() => new Promise((resolve) => server.close(resolve)));
      await once(server.listen(0, address), "listening");
      return (server.address() as AddressInfo).port;
    };
    const bind = async (): Promise<ReturnType<typeof createSocket>> => {
      const socket = createSocket("udp4");
      closing.push(async () => socket.close());
      await once(socket.bind(0), "listening");
      return socket;
    };
    ports.all4 = await listen("0.0.0.0");
    ports.all6 = await listen("::");
    ports.loopback = await listen("127.0.0.1");
    const [service, client] = [await bind(), await bind()];
    ports.udp = service.address().port;
    client.connect(ports.udp, "127.0.0.1");
    await once(client, "connect");
    ports.connected = client.address().port;
    for (let i = 0; i < 100; i += 1) {
      const socket = connect(ports.loopback, "127.0.0.1");
      closing.unshift(async () => socket.destroy());
      await once(socket, "connect");
    }
    found = readListeners();
  });
  afterAll(async () => {
    for (const close of closing) await close();
  });

  const at = (protocol: "tcp" | "udp", port: number) =>
    found
      .filter((one) => one.protocol === protocol && one.port === port)
      .map(({ address }) => address);

  it("is found beside any number of connections, and the loopback's is not", () => {
    expect(at("tcp", ports.all4)).toEqual(["0.0.0.0"]);
    expect(at("tcp", ports.all6)).toEqual(["::"]);
    expect(at("udp", ports.udp)).toEqual(["0.0.0.0"]);
    expect([...at("tcp", ports.loopback), ...at("udp", ports.connected)]).toEqual([]);
  });

  it("has the name of the process that holds it", async () => {
    const [one] = found.filter(({ protocol, port }) => protocol === "tcp" && port === ports.all4);
    const names = await processNames(new Set([one?.inode ?? 0, 4_294_967_295]));
    expect([...names]).toEqual([[one?.inode, expect.stringMatching(/^[\x20-\x7e]+$/)]]);
  });
});
