/** Names of what the API says, as the OpenAPI document and generated clients know it. A new schema of weight gets one. */
import type * as z from "zod";
import { CosignRequest, CosignResponse, PendingDetail, PendingItem } from "../cosign.ts";
import { Change, Commit, Host, Ingress, Member, Overlay, Service, Zone } from "../intent.ts";
import { Gates, RolloutActionRequest, RolloutRequest, RolloutView, Strategy } from "../rollout.ts";
import { Ruleset } from "../ruleset.ts";
import { Guard } from "../guard.ts";
import {
  Confirmation,
  Drift,
  EnrolRequest,
  EnrolResponse,
  Listening,
  Report,
  ReportResponse,
  TokenRequest,
  TokenResponse,
  Update,
} from "../wire.ts";
import {
  Committed,
  HostPlan,
  Plan,
  PlanRequest,
  RevisionDetail,
  RevisionItem,
  RowChange,
} from "./commits.ts";
import { Finding, Problem, Warning } from "./common.ts";
import { HostItem, HostStatus, Pinned, PinRequest, Run, StatusSummary } from "./hosts.ts";
import { RolloutHost, StartedRollout } from "./rollouts.ts";
import { RowBody, RowItems, RowsPage } from "./rows.ts";
import { AuditItem, AuditVerified, Health } from "./service.ts";
import { NewToken, NewTokenRequest, TokenItem, Whoami } from "./tokens.ts";
import {
  Enrolment,
  EnrolmentRequest,
  Invitation,
  OnlineKeySet,
  RootRequest,
  StoredRoot,
} from "./trust.ts";

export const components = {
  Host,
  Zone,
  Service,
  Ingress,
  Overlay,
  Member,
  RowBody,
  HostRow: RowItems.host,
  ZoneRow: RowItems.zone,
  ServiceRow: RowItems.service,
  OverlayRow: RowItems.overlay,
  MemberRow: RowItems.member,
  RowsPage,
  Change,
  Commit,
  PlanRequest,
  Plan,
  HostPlan,
  RowChange,
  Committed,
  Warning,
  RevisionItem,
  RevisionDetail,
  Ruleset,
  HostItem,
  StatusSummary,
  HostStatus,
  Listening,
  Run,
  PinRequest,
  Pinned,
  RolloutRequest,
  Strategy,
  Gates,
  RolloutActionRequest,
  RolloutView,
  StartedRollout,
  RolloutHost,
  EnrolmentRequest,
  Enrolment,
  Invitation,
  OnlineKeySet,
  RootRequest,
  StoredRoot,
  PendingItem,
  PendingDetail,
  CosignRequest,
  CosignResponse,
  NewTokenRequest,
  TokenItem,
  Whoami,
  NewToken,
  AuditItem,
  AuditVerified,
  Health,
  EnrolRequest,
  EnrolResponse,
  HostTokenRequest: TokenRequest,
  HostToken: TokenResponse,
  Update,
  Guard,
  Drift,
  Report,
  ReportResponse,
  Confirmation,
  Problem,
  Finding,
} as const satisfies Record<string, z.ZodType>;
export type ComponentName = keyof typeof components;
