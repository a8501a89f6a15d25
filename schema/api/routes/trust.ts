/** Enrolment, the root of trust, operators' signatures, and each host's repository as plain TUF. */
import { CosignRequest, CosignResponse, PendingDetail, PendingItem } from "../../cosign.ts";
import type { RouteName } from "../access.ts";
import { Page, pageOf } from "../common.ts";
import { HostParam, InvitationParam, MetadataParams, RootParam, TargetParams } from "../params.ts";
import type { Route } from "../route.ts";
import {
  Enrolment,
  EnrolmentRequest,
  Invitation,
  OnlineKeySet,
  RootRequest,
  StoredRoot,
} from "../trust.ts";

/** Bytes that are signed over: no schema may make a reader write them anew. */
const exactJson = { content: { "application/json": null } } as const;

export const trustRoutes = {
  "POST /v1/enrolments": {
    id: "enrol",
    summary: "Invite a declared host, by a one-time token; the newest invitation alone holds",
    tag: "trust",
    body: EnrolmentRequest,
    answers: { 201: Enrolment },
    problems: ["not_found", "root_missing"],
  },
  "GET /v1/enrolments": {
    id: "listInvitations",
    summary: "Open invitations, without their tokens, by host",
    tag: "trust",
    query: Page,
    answers: { 200: pageOf(Invitation) },
  },
  "DELETE /v1/enrolments/:id": {
    id: "revokeInvitation",
    summary: "Take an invitation back",
    tag: "trust",
    params: InvitationParam,
    answers: { 204: null },
    problems: ["conflict"],
  },
  "DELETE /v1/hosts/:host/identity": {
    id: "revokeHost",
    summary: "Revoke a host's key",
    tag: "trust",
    params: HostParam,
    answers: { 204: null },
  },
  "GET /v1/root": {
    id: "getRoot",
    summary: "The root in force, exact bytes",
    tag: "trust",
    answers: { 200: exactJson },
    problems: ["root_missing"],
  },
  "GET /v1/root/keys": {
    id: "getOnlineKeys",
    summary: "Public halves of the online keys",
    tag: "trust",
    answers: { 200: OnlineKeySet },
  },
  "GET /v1/root/:version": {
    id: "getRootVersion",
    summary: "One root of the chain, exact bytes",
    tag: "trust",
    params: RootParam,
    answers: { 200: exactJson },
  },
  "PUT /v1/root": {
    id: "putRoot",
    summary: "Put the next root in force",
    tag: "trust",
    body: RootRequest,
    answers: { 200: StoredRoot, 201: StoredRoot },
    problems: ["conflict"],
  },
  "GET /v1/cosign": {
    id: "listPending",
    summary: "Targets that wait for operators' signatures, by host",
    tag: "trust",
    query: Page,
    answers: { 200: pageOf(PendingItem) },
    problems: ["root_missing"],
  },
  "GET /v1/cosign/:host": {
    id: "getPending",
    summary: "What is to be signed for a host, exact texts",
    tag: "trust",
    params: HostParam,
    answers: { 200: PendingDetail },
    problems: ["root_missing"],
  },
  "PUT /v1/cosign/:host": {
    id: "signPending",
    summary: "Sign what waits for a host",
    tag: "trust",
    params: HostParam,
    body: CosignRequest,
    answers: { 200: CosignResponse },
    problems: ["conflict", "root_missing"],
  },
  "GET /v1/hosts/:host/repo/metadata/:file": {
    id: "getMetadata",
    summary: "One metadata file of a host, exact bytes",
    tag: "trust",
    params: MetadataParams,
    answers: { 200: exactJson },
  },
  "GET /v1/hosts/:host/repo/targets/:file": {
    id: "getBundle",
    summary: "A bundle published to a host, exact bytes",
    tag: "trust",
    params: TargetParams,
    answers: { 200: exactJson },
  },
} as const satisfies Partial<Record<RouteName, Route>>;
