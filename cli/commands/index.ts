/** Every command, in the order in which the overview lists them. */
import { version } from "#args/version.ts";
import type { Command } from "#cli/run/command.ts";
import { apply } from "./catalog/apply.ts";
import { plan } from "./catalog/plan.ts";
import { completion } from "./completion.ts";
import { login, whoami } from "./login.ts";
import { cosignList, cosignShow, cosignSign } from "./cosign/pending.ts";
import { enrol } from "./hosts/enrol.ts";
import { hostsHistory } from "./hosts/history.ts";
import { hostsAdopting } from "./hosts/adopting.ts";
import { hosts, hostsShow } from "./hosts/hosts.ts";
import { hostsRevoke } from "./hosts/revoke.ts";
import { auditList } from "./audit/list.ts";
import { auditVerify } from "./audit/verify.ts";
import { revert } from "./intent/revert.ts";
import { memberDelete, memberList, memberSet, memberShow } from "./member/member.ts";
import { invitationList, invitationRevoke } from "./hosts/invitation.ts";
import { pin, unpin } from "./hosts/pin.ts";
import { revisions } from "./intent/revisions.ts";
import { ruleset } from "./intent/ruleset.ts";
import { rolloutActions } from "./rollout/act.ts";
import { rolloutHosts, rolloutList, rolloutShow } from "./rollout/read.ts";
import { rolloutStart, rolloutWatch } from "./rollout/start.ts";
import { rootCheck } from "./root/check.ts";
import { rootInit } from "./root/init.ts";
import { rootKeyMake } from "./root/key.ts";
import { rootPush } from "./root/push.ts";
import { rootRotate } from "./root/rotate.ts";
import { rootShow } from "./root/show.ts";
import { rootSign } from "./root/sign.ts";
import { tokenCreate, tokenList, tokenRevoke } from "./token/token.ts";

const all: readonly Command[] = [
  login,
  whoami,
  plan,
  apply,
  rolloutStart,
  rolloutList,
  rolloutShow,
  rolloutHosts,
  rolloutWatch,
  ...rolloutActions,
  pin,
  unpin,
  hosts,
  hostsShow,
  hostsHistory,
  hostsAdopting,
  hostsRevoke,
  enrol,
  invitationList,
  invitationRevoke,
  memberList,
  memberShow,
  memberSet,
  memberDelete,
  revisions,
  revert,
  ruleset,
  auditList,
  auditVerify,
  tokenCreate,
  tokenList,
  tokenRevoke,
  rootInit,
  rootShow,
  rootKeyMake,
  rootRotate,
  rootSign,
  rootCheck,
  rootPush,
  cosignList,
  cosignShow,
  cosignSign,
];

export const program = {
  name: "portcullis",
  version,
  about: "intent as rows, rules as a projection",
  commands: [...all, completion(all)],
  exits:
    "0 done, 1 failed, 2 called wrongly; plan: 0 no change, 1 an error, 2 changes; a rollout that is watched: " +
    "0 completed, 1 halted, rolled back or taken over, 3 paused.",
} as const;
