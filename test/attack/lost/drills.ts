/** What is lost in each section of docs/lost.md, and what must hold before, while and after its commands run. */
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { holds, read, services, takesNews } from "./fleet.ts";
import { type Machines, newUrl } from "./machines.ts";

/** @param next runs the section's next commands */
type Drill = (machines: Machines, next: () => Promise<string>) => Promise<void>;

const asks = (machines: Machines, token: string) =>
  machines.try(`PORTCULLIS_TOKEN=${token} portcullis hosts`);

async function isRefused(machines: Machines, token: string): Promise<void> {
  const { code, error } = await asks(machines, token);
  expect([code, error]).toEqual([1, expect.stringContaining("unauthenticated")]);
}

/** The control plane does not start, and says why. */
async function doesNotStart(machines: Machines, why: RegExp): Promise<void> {
  const { code, error } = await machines.try("systemctl start portcullis-control");
  expect([code, error]).toEqual([1, expect.stringMatching(why)]);
}

/** Looks at the kernel all the while: at no time does it hold less than a table that drops. */
async function neverOpens(machines: Machines, work: () => Promise<unknown>): Promise<void> {
  const looking = machines.run(`looks=0
until [ -f "$H/looked" ]; do
  held=$(nft list table inet portcullis 2>&1) || true
  [[ $held == *'policy drop'* ]] || { echo "open at look $looks: $held"; exit; }
  looks=$((looks + 1))
done
echo "shut"`);
  try {
    await work();
  } finally {
    writeFileSync(machines.at("looked"), "");
  }
  expect((await looking).trim()).toBe("shut");
}

const sealing = `for name in anna ben cleo; do portcullis root key --out $name.pem; done
portcullis root rotate --targets sealed --targets-key anna.pem.pub --targets-key ben.pem.pub --targets-key cleo.pem.pub --targets-threshold 2 --out next.json
portcullis root sign next.json --key alice.pem --from root.json
portcullis root sign next.json --key bob.pem --from root.json
portcullis root push next.json
mv next.json root.json
for name in anna cleo; do portcullis cosign sign --all --key $name.pem --root root.json --yes; done`;

export const drills: Readonly<Record<string, Drill>> = {
  "An operator token": async (machines, next) => {
    const old = read(machines, "desk/ci.token");
    machines.means("a1b2c3d4e5f60718", old.split("_")[1] ?? "");
    expect((await asks(machines, old)).code).toBe(0);
    await next();
    await isRefused(machines, old);
    expect((await asks(machines, read(machines, "desk/ci.token"))).code).toBe(0);
  },

  "The admin token": async (machines, next) => {
    const old = read(machines, "desk/admin.token");
    await next();
    await isRefused(machines, old);
    expect((await asks(machines, read(machines, "desk/ci.token"))).code).toBe(0);
    await takesNews(machines, 8101);
  },

  "A root key, and enough are left": async (machines, next) => {
    rmSync(machines.at("desk/carol.pem"));
    const before = await machines.loaded();
    await next();
    expect(await machines.run("portcullis root show")).toMatch(/2 of 3/);
    expect(await machines.loaded()).toBe(before);
    await takesNews(machines, 8102);
  },

  "Too few root keys, or a control plane without a backup": async (machines, next) => {
    for (const name of ["bob", "carol"]) rmSync(machines.at(`desk/${name}.pem`));
    await neverOpens(machines, async () => {
      for (let fence = 1; fence <= 3; fence += 1) await next();
      await takesNews(machines, 8103);
    });
  },

  "The online keys (keys.json)": async (machines, next) => {
    const lose = async (): Promise<void> => {
      await machines.run("systemctl stop portcullis-control");
      rmSync(machines.at("control/keys.json"));
      await doesNotStart(machines, /keys\.json is missing/);
    };
    await lose();
    await next();
    await takesNews(machines, 8104);
    await lose();
    await next();
    await next();
    await takesNews(machines, 8104, 8105);
  },

  "The data directory, with a backup": async (machines, next) => {
    await takesNews(machines, 8106);
    await machines.run("systemctl stop portcullis-control");
    rmSync(machines.at("control"), { recursive: true });
    writeFileSync(machines.at("desk/catalog/services.yaml"), services(8106, 8107));
    await next();
    expect(await holds(machines, "8107")).toContain("8106");
    await takesNews(machines, 8106, 8107, 8108);
  },

  "A host's key or state directory": async (machines, next) => {
    rmSync(machines.at("state"), { recursive: true });
    await neverOpens(machines, async () => {
      await next();
      await takesNews(machines, 8109);
    });
  },

  "An enrolment token": async (machines, next) => {
    const made = await machines.run("portcullis enrol web1 --json");
    const { id, token, root_sha256 } = JSON.parse(made) as Record<string, string>;
    machines.means("0a1b2c3d4e5f6071", id ?? "");
    const join = (line: string) =>
      machines.try(`H=$H/elsewhere; mkdir -p $H/guard; cp guard.yaml $H/guard; ${line}`);
    copyFileSync(machines.at("guard/guard.yaml"), machines.at("desk/guard.yaml"));
    const fresh = (await next()).split("\n").findLast((line) => line.startsWith("echo "));
    const stolen = await join(
      `echo ${token} | portcullis-agent join https://control.example:8443 --root-sha256 ${root_sha256}`,
    );
    expect(stolen.code).not.toBe(0);
    expect(await join(fresh ?? "")).toMatchObject({ code: 0 });
  },

  "An operator's signing key, where operators sign": async (machines, next) => {
    await machines.run(sealing);
    rmSync(machines.at("desk/cleo.pem"));
    await next();
    writeFileSync(machines.at("desk/catalog/services.yaml"), services(8110));
    await machines.run("portcullis apply -f catalog/ --yes");
    for (const name of ["ben", "dora"])
      await machines.run(`portcullis cosign sign --all --key ${name}.pem --root root.json --yes`);
    await holds(machines, "8110");
  },

  "Too few signing keys of operators": async (machines, next) => {
    await machines.run(sealing);
    for (const name of ["ben", "cleo"]) rmSync(machines.at(`desk/${name}.pem`));
    writeFileSync(machines.at("desk/catalog/services.yaml"), services(8111));
    await machines.run("portcullis apply -f catalog/ --yes");
    expect(await machines.run("portcullis cosign list")).toContain("web1");
    await next();
    await holds(machines, "8111");
    await takesNews(machines, 8112);
  },

  "The certificate or its authority": async (machines, next) => {
    const certificate = (name: string, ...parts: readonly string[]): void => {
      for (const part of parts)
        copyFileSync(machines.at(`${name}-${part}.pem`), machines.at(`desk/new-${part}.pem`));
    };
    certificate("second", "key", "cert");
    rmSync(machines.at("certificate/key.pem"));
    await next();
    await takesNews(machines, 8113);
    certificate("new", "key", "cert", "ca");
    await machines.run(`install -m 0600 new-key.pem /etc/portcullis-control/key.pem
install -m 0644 new-cert.pem /etc/portcullis-control/cert.pem
systemctl restart portcullis-control`);
    expect((await machines.try("portcullis hosts")).error).toMatch(/certificate/);
    await next();
    machines.begins("export PORTCULLIS_CA=new-ca.pem");
    await takesNews(machines, 8114);
  },

  "The address or name of the control plane": async (machines, next) => {
    writeFileSync(machines.at("listen"), new URL(newUrl).host);
    await machines.run("systemctl restart portcullis-control");
    expect((await machines.try("portcullis hosts")).code).toBe(1);
    await next();
    machines.begins("export PORTCULLIS_URL=https://new.example:8443");
    await takesNews(machines, 8115);
  },

  "The address of a host": async (machines, next) => {
    expect(await machines.loaded()).not.toContain("198.51.100.12");
    await next();
    expect(await holds(machines, "198.51.100.12")).not.toContain("192.0.2.12");
  },
};
