-- Answers to commits that carried an Idempotency-Key, written in the commit's own batch; pruned once they expire.
CREATE TABLE idempotency (
  principal TEXT NOT NULL CHECK (principal <> ''),
  key TEXT NOT NULL CHECK (key <> ''),
  request_sha256 TEXT NOT NULL CHECK (length(request_sha256) = 64),
  status INTEGER NOT NULL,
  response TEXT NOT NULL CHECK (json_valid(response)),
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expires ON idempotency (expires_at);

-- What auditors read of the catalog: every version of every row, as of hosts and overlays.
CREATE VIEW services AS SELECT i.key AS service, i.body, i.from_revision, i.to_revision, f.at AS from_at, t.at AS to_at, i.by FROM intent i JOIN revision f ON f.n = i.from_revision LEFT JOIN revision t ON t.n = i.to_revision WHERE i.kind = 'service';
CREATE VIEW zones AS SELECT i.key AS zone, i.body, i.from_revision, i.to_revision, f.at AS from_at, t.at AS to_at, i.by FROM intent i JOIN revision f ON f.n = i.from_revision LEFT JOIN revision t ON t.n = i.to_revision WHERE i.kind = 'zone';
