/**
 * `portcullis root rotate`: writes the next root to a file, for its signers. Changes nothing that is in force, and with
 * `--from` it needs no control plane.
 */
import { exitCodes, UsageError } from "#args/exits.ts";
import { flag, value } from "#args/spec.ts";
import { longestLife, type TufKey } from "#schema/tuf.ts";
import { connectionOptions, openClient } from "#cli/http/client.ts";
import { command, parseWholeNumber } from "#cli/run/command.ts";
import { rootFileText } from "#cli/root/file.ts";
import { loadRootFile, readPublicKey, writeNew } from "#cli/root/key-files.ts";
import { onlineKeysOf, readRootInForce } from "#cli/root/plane.ts";
import { makeNextRoot, type RootChange, rootKeysMax } from "#cli/root/succession.ts";
import { listChangeLines } from "#cli/root/text.ts";

const daysMax = longestLife.root / 86_400_000;

const options = {
  out: value("FILE", "where it goes; nothing is overwritten", { required: true }),
  from: value("FILE", "the file of the root in force, instead of asking the control plane for it"),
  "add-key": value("FILE", "a new root key: the .pub file of root key; may be repeated", {
    many: true,
  }),
  "remove-key": value(
    "KEYID",
    "a root key to remove, or the first 8 digits or more of its id; may be repeated",
    { many: true },
  ),
  threshold: value("M", "how many root keys must sign from now on (default: as before)"),
  online: flag(
    "take the control plane's online keys as they are now (default: as before); targets keys of operators stay",
  ),
  targets: value(
    "WHO",
    "who signs what hosts enforce: online (the control plane), cosign (it and operators) or sealed (operators alone) " +
      "(default: as before)",
    { choices: ["online", "cosign", "sealed"] },
  ),
  "targets-key": value("FILE", "an operator's .pub file, with cosign and sealed; may be repeated", {
    many: true,
  }),
  "targets-threshold": value("M", "how many must sign, the control plane counted (default: 2)"),
  days: value("N", `how long it is good for (default: 365, at most ${daysMax})`),
  json: flag("what was written as JSON"),
  ...connectionOptions,
} as const;

export const rootRotate = command(
  {
    name: "root rotate",
    summary: "write the next root to a file, unsigned",
    about: [
      "Writes the successor of the root in force: one version more, a new expiry, and the changes. Nothing is in force " +
        "before a threshold of the old root keys and one of the new have signed FILE (root sign) and it was pushed " +
        "(root push).",
    ],
    positionals: {},
    options,
    examples: [
      "root rotate --out 2.root.json --add-key dave.pem.pub --threshold 2",
      "root rotate --out 3.root.json --targets cosign --targets-key e.pub",
    ],
  },
  async ({ values }, { env, output, now }) => {
    const number = (option: "threshold" | "days" | "targets-threshold", most: number) =>
      values[option] === undefined
        ? undefined
        : parseWholeNumber(`--${option}`, values[option], most);
    const threshold = number("threshold", rootKeysMax);
    const days = number("days", daysMax);
    const open = () => openClient(values, env);
    const current =
      values.from === undefined ? await readRootInForce(open()) : loadRootFile(values.from);
    const asksForKeys = values.online || values.targets === "online" || values.targets === "cosign";
    const online = asksForKeys ? (await onlineKeysOf(open())).online : undefined;
    const targets = targetsOf(
      values,
      number("targets-threshold", rootKeysMax) ?? 2,
      online?.targets,
    );
    const change = {
      add: values["add-key"].map(readPublicKey),
      remove: values["remove-key"],
      threshold,
      online,
      targets,
      days,
    };
    const next = { signed: makeNextRoot(current.signed, change, now()), signatures: [] };
    writeNew(values.out, rootFileText(next), 0o644);
    const { version, expires, roles } = next.signed;
    const changes = listChangeLines(current, next);
    if (values.json) {
      output.line(JSON.stringify({ file: values.out, version, expires, changes }));
      return exitCodes.ok;
    }
    output.line(`wrote ${values.out}: root version ${version}, expires ${expires}`);
    for (const line of changes) output.line(line);
    const [before, after] = [current.signed.roles.root, roles.root];
    output.line(
      `to be signed by ${before.threshold} of the ${before.keyids.length} root keys before ` +
        `and by ${after.threshold} of these ${after.keyids.length}; one in both counts for both`,
    );
    return exitCodes.ok;
  },
);

interface TargetsValues {
  readonly targets: "online" | "cosign" | "sealed" | undefined;
  readonly "targets-key": readonly string[];
  readonly "targets-threshold": string | undefined;
}

/** @throws UsageError */
function targetsOf(
  values: TargetsValues,
  threshold: number,
  own: TufKey | undefined,
): RootChange["targets"] {
  const operators = values["targets-key"].map(readPublicKey);
  const isOperators = values.targets === "cosign" || values.targets === "sealed";
  if (!isOperators && (operators.length > 0 || values["targets-threshold"] !== undefined))
    throw new UsageError(
      "--targets-key and --targets-threshold go with --targets cosign or sealed",
    );
  switch (values.targets) {
    case undefined:
      return undefined;
    case "online":
      return "control plane";
    case "cosign":
      return { keys: own === undefined ? operators : [own, ...operators], threshold };
    case "sealed":
      return { keys: operators, threshold };
  }
}
