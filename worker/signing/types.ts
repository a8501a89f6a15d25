/** One host's TUF repository as stored; the row of table `repository`, times in milliseconds since the Unix epoch. */
export interface Repository {
  readonly host: string;
  readonly seq: number;
  readonly revision: number;
  readonly generation: number;
  readonly bundle_sha256: string;
  readonly bundle_length: number;
  /** Exact bytes of the signed metadata, as text. */
  readonly targets: string;
  readonly targets_expires_at: number;
  readonly snapshot_version: number;
  readonly snapshot: string;
  readonly snapshot_expires_at: number;
  readonly timestamp_version: number;
  readonly timestamp: string;
  readonly lease_issued_at: number;
  readonly lease_expires_at: number;
}

/** What publishing one host produced: the new repository and the bundle it points to. */
export interface Published {
  readonly repository: Repository;
  readonly bundle: Uint8Array<ArrayBuffer>;
}

/** Targets that wait for operators' signatures; a row of table `pending`, times in milliseconds since the Unix epoch. */
export interface Pending {
  readonly host: string;
  readonly seq: number;
  readonly revision: number;
  readonly bundle_sha256: string;
  readonly bundle_length: number;
  /** The exact text to be signed: canonical JSON of the targets. */
  readonly targets: string;
  readonly targets_expires_at: number;
  /** JSON: the signatures that were taken so far. */
  readonly signatures: string;
  readonly at: number;
}

/** What publishing one host produced where operators sign: what they are to sign, and the bundle it points to. */
export interface Proposed {
  readonly pending: Pending;
  readonly bundle: Uint8Array<ArrayBuffer>;
}
