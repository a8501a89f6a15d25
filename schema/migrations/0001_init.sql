-- One line per trigger, LF, upper-case BEGIN and END: remote D1 splits statements otherwise (workers-sdk #4998, #15690).
-- Times are integer milliseconds since the Unix epoch. Texts named *_sha256 are lower-case hex.

-- The fleet: what the poll path needs to know, in one row. `generation` rises when any host's repository or identity changes.
CREATE TABLE fleet (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  head INTEGER NOT NULL,
  generation INTEGER NOT NULL
) STRICT;
INSERT INTO fleet (id, head, generation) VALUES (1, 0, 0);

-- One commit of intent. The trigger is the compare-and-swap: a commit whose parent is no longer head aborts its whole batch.
CREATE TABLE revision (
  n INTEGER PRIMARY KEY CHECK (n >= 1),
  parent INTEGER NOT NULL,
  at INTEGER NOT NULL,
  author TEXT NOT NULL CHECK (author <> ''),
  on_behalf_of TEXT,
  source TEXT NOT NULL,
  message TEXT NOT NULL
) STRICT;
CREATE TRIGGER revision_cas BEFORE INSERT ON revision WHEN NEW.parent IS NOT (SELECT head FROM fleet) OR NEW.n IS NOT NEW.parent + 1 OR EXISTS (SELECT 1 FROM revision WHERE n = NEW.n) BEGIN SELECT RAISE(ABORT, 'stale_parent'); END;
CREATE TRIGGER revision_head AFTER INSERT ON revision BEGIN UPDATE fleet SET head = NEW.n WHERE id = 1; END;
CREATE TRIGGER revision_update BEFORE UPDATE ON revision BEGIN SELECT RAISE(ABORT, 'revision_append_only'); END;
CREATE TRIGGER revision_delete BEFORE DELETE ON revision BEGIN SELECT RAISE(ABORT, 'revision_append_only'); END;

-- All intent, all kinds, all times. Open rows have no to_revision. The one UPDATE allowed closes an open row at the new head.
CREATE TABLE intent (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind <> ''),
  key TEXT NOT NULL CHECK (key <> ''),
  body TEXT NOT NULL CHECK (json_valid(body)),
  from_revision INTEGER NOT NULL REFERENCES revision (n),
  to_revision INTEGER REFERENCES revision (n) CHECK (to_revision > from_revision),
  by TEXT NOT NULL CHECK (by <> ''),
  on_behalf_of TEXT,
  source TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX intent_open ON intent (kind, key) WHERE to_revision IS NULL;
CREATE UNIQUE INDEX intent_from ON intent (kind, key, from_revision);
CREATE INDEX intent_revision ON intent (from_revision);
CREATE INDEX intent_closed ON intent (to_revision) WHERE to_revision IS NOT NULL;
CREATE TRIGGER intent_insert BEFORE INSERT ON intent WHEN NEW.to_revision IS NOT NULL OR NEW.from_revision IS NOT (SELECT head FROM fleet) OR EXISTS (SELECT 1 FROM intent WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM intent WHERE kind = NEW.kind AND key = NEW.key AND (to_revision IS NULL OR from_revision = NEW.from_revision)) BEGIN SELECT RAISE(ABORT, 'intent_append_only'); END;
CREATE TRIGGER intent_update BEFORE UPDATE ON intent WHEN OLD.to_revision IS NOT NULL OR NEW.to_revision IS NOT (SELECT head FROM fleet) OR NEW.id IS NOT OLD.id OR NEW.kind IS NOT OLD.kind OR NEW.key IS NOT OLD.key OR NEW.body IS NOT OLD.body OR NEW.from_revision IS NOT OLD.from_revision OR NEW.by IS NOT OLD.by OR NEW.on_behalf_of IS NOT OLD.on_behalf_of OR NEW.source IS NOT OLD.source BEGIN SELECT RAISE(ABORT, 'intent_append_only'); END;
CREATE TRIGGER intent_delete BEFORE DELETE ON intent BEGIN SELECT RAISE(ABORT, 'intent_append_only'); END;

-- What auditors read.
CREATE VIEW firewall_groups AS SELECT substr(i.key, 1, instr(i.key, '/') - 1) AS overlay, substr(i.key, instr(i.key, '/') + 1) AS cn, i.body ->> 'group' AS group_id, r.at AS updated_at, i.by AS updated_by FROM intent i JOIN revision r ON r.n = i.from_revision WHERE i.kind = 'member' AND i.to_revision IS NULL;
CREATE VIEW firewall_groups_history AS SELECT substr(i.key, 1, instr(i.key, '/') - 1) AS overlay, substr(i.key, instr(i.key, '/') + 1) AS cn, i.body ->> 'group' AS group_id, i.from_revision, i.to_revision, f.at AS from_at, t.at AS to_at, i.by FROM intent i JOIN revision f ON f.n = i.from_revision LEFT JOIN revision t ON t.n = i.to_revision WHERE i.kind = 'member';
CREATE VIEW hosts AS SELECT i.key AS host, i.body, i.from_revision, i.to_revision, f.at AS from_at, t.at AS to_at, i.by FROM intent i JOIN revision f ON f.n = i.from_revision LEFT JOIN revision t ON t.n = i.to_revision WHERE i.kind = 'host';
CREATE VIEW overlays AS SELECT i.key AS overlay, i.body ->> 'policy' AS policy, i.body, i.from_revision, i.to_revision, f.at AS from_at, t.at AS to_at, i.by FROM intent i JOIN revision f ON f.n = i.from_revision LEFT JOIN revision t ON t.n = i.to_revision WHERE i.kind = 'overlay';

-- Append-only and chained: hash covers every other column, and prev is the hash of the row before.
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL CHECK (actor <> ''),
  on_behalf_of TEXT,
  action TEXT NOT NULL,
  revision INTEGER REFERENCES revision (n),
  body TEXT NOT NULL CHECK (json_valid(body)),
  prev TEXT NOT NULL,
  hash TEXT NOT NULL CHECK (length(hash) = 64)
) STRICT;
CREATE UNIQUE INDEX audit_hash ON audit (hash);
CREATE TRIGGER audit_insert BEFORE INSERT ON audit WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit) OR NEW.prev IS NOT coalesce((SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), '0') OR EXISTS (SELECT 1 FROM audit WHERE hash = NEW.hash) BEGIN SELECT RAISE(ABORT, 'audit_chain'); END;
CREATE TRIGGER audit_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit_append_only'); END;
CREATE TRIGGER audit_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit_append_only'); END;

-- Each host's TUF repository as it is served now. Versions only rise: a host that has seen one refuses a lower one for ever.
CREATE TABLE repository (
  host TEXT PRIMARY KEY,
  seq INTEGER NOT NULL CHECK (seq >= 1),
  revision INTEGER NOT NULL REFERENCES revision (n),
  generation INTEGER NOT NULL,
  bundle_sha256 TEXT NOT NULL CHECK (length(bundle_sha256) = 64),
  bundle_length INTEGER NOT NULL,
  targets TEXT NOT NULL,
  targets_expires_at INTEGER NOT NULL,
  snapshot_version INTEGER NOT NULL,
  snapshot TEXT NOT NULL,
  snapshot_expires_at INTEGER NOT NULL,
  timestamp_version INTEGER NOT NULL,
  timestamp TEXT NOT NULL,
  lease_issued_at INTEGER NOT NULL,
  lease_expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_generation ON repository (generation);
CREATE INDEX repository_lease ON repository (lease_expires_at);
CREATE TRIGGER repository_insert BEFORE INSERT ON repository WHEN EXISTS (SELECT 1 FROM repository WHERE host = NEW.host) BEGIN SELECT RAISE(ABORT, 'repository_exists'); END;
CREATE TRIGGER repository_update BEFORE UPDATE ON repository WHEN NEW.host IS NOT OLD.host OR NEW.timestamp_version <= OLD.timestamp_version OR NEW.snapshot_version < OLD.snapshot_version OR NEW.seq < OLD.seq OR (NEW.seq = OLD.seq AND NEW.targets IS NOT OLD.targets) OR (NEW.snapshot_version = OLD.snapshot_version AND NEW.snapshot IS NOT OLD.snapshot) BEGIN SELECT RAISE(ABORT, 'stale_repository'); END;
CREATE TRIGGER repository_delete BEFORE DELETE ON repository BEGIN SELECT RAISE(ABORT, 'repository_append_only'); END;

-- Every seq a host was ever given, for answers about the past and for plain TUF clients.
CREATE TABLE publication (
  host TEXT NOT NULL,
  seq INTEGER NOT NULL,
  revision INTEGER NOT NULL REFERENCES revision (n),
  bundle_sha256 TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (host, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER publication_insert BEFORE INSERT ON publication WHEN EXISTS (SELECT 1 FROM publication WHERE host = NEW.host AND seq >= NEW.seq) BEGIN SELECT RAISE(ABORT, 'publication_append_only'); END;
CREATE TRIGGER publication_update BEFORE UPDATE ON publication BEGIN SELECT RAISE(ABORT, 'publication_append_only'); END;
CREATE TRIGGER publication_delete BEFORE DELETE ON publication BEGIN SELECT RAISE(ABORT, 'publication_append_only'); END;

-- The root chain, exact bytes as text. Served for ever: a host that slept through twelve rotations needs all twelve.
CREATE TABLE root (
  version INTEGER PRIMARY KEY CHECK (version >= 1),
  body TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  generation INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER root_insert BEFORE INSERT ON root WHEN NEW.version IS NOT (SELECT coalesce(max(version), 0) + 1 FROM root) BEGIN SELECT RAISE(ABORT, 'root_chain'); END;
CREATE TRIGGER root_update BEFORE UPDATE ON root BEGIN SELECT RAISE(ABORT, 'root_append_only'); END;
CREATE TRIGGER root_delete BEFORE DELETE ON root BEGIN SELECT RAISE(ABORT, 'root_append_only'); END;

-- API tokens, by hash. A token is shown once, when it is made.
CREATE TABLE token (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
  scopes TEXT NOT NULL CHECK (json_valid(scopes)),
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
) STRICT;

-- One-time enrolment tokens, by hash; used once by one conditional UPDATE.
CREATE TABLE enrolment (
  id TEXT PRIMARY KEY,
  host TEXT NOT NULL,
  sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER
) STRICT;

-- A host's public key. Enrolling again replaces it and raises the generation, so that tokens of the old key die.
CREATE TABLE identity (
  host TEXT PRIMARY KEY,
  public_key TEXT NOT NULL,
  enrolled_at INTEGER NOT NULL,
  enrolment TEXT NOT NULL REFERENCES enrolment (id),
  generation INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_generation ON identity (generation);

-- Client assertions that were used, until they expire: one assertion buys one token.
CREATE TABLE assertion (
  jti TEXT PRIMARY KEY,
  host TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX assertion_expires ON assertion (expires_at);

-- Reports, one row each; n is the host's own count and makes them idempotent.
CREATE TABLE report (
  host TEXT NOT NULL,
  n INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  body TEXT NOT NULL CHECK (json_valid(body)),
  PRIMARY KEY (host, n)
) STRICT, WITHOUT ROWID;
