/** Which addresses a host reports as its own. */
import { expect, test } from "vitest";
import { sortAddresses, listOwnAddresses } from "#agent/observe/addresses.ts";
import { Report } from "#schema/wire.ts";

test("addresses of a link are left out, and each other one is reported once, IPv4 first", () => {
  const found = [
    "2001:db8::1",
    "fe80::1",
    "169.254.1.1",
    "198.51.100.2",
    "192.0.2.1",
    "192.0.2.1",
    "::ffff:192.0.2.9",
  ];
  expect(sortAddresses(found)).toEqual(["192.0.2.1", "198.51.100.2", "2001:db8::1"]);
});

test("what this machine has fits a report, without its loopback", () => {
  const own = listOwnAddresses();
  expect(Report.shape.addresses.parse(own)).toEqual(own);
  expect(own.filter((address) => address === "::1" || address.startsWith("127."))).toEqual([]);
});
