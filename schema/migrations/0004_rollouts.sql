-- Rollouts. What a host is served follows from `withheld` alone: head without the revisions withheld from it.

-- A revision that this host does not have yet. `narrowed`: it has lost what the revision takes, and got nothing of what it gives.
CREATE TABLE withheld (
  host TEXT NOT NULL,
  revision INTEGER NOT NULL REFERENCES revision (n),
  level TEXT NOT NULL CHECK (level IN ('withheld', 'narrowed')),
  PRIMARY KEY (host, revision)
) STRICT, WITHOUT ROWID;
CREATE INDEX withheld_revision ON withheld (revision);

-- Hosts that a person keeps where they are: what is committed is withheld from them, and rollouts pass them by.
CREATE TABLE pin (
  host TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  by TEXT NOT NULL CHECK (by <> ''),
  reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rollout (
  id INTEGER PRIMARY KEY CHECK (id >= 1),
  revision INTEGER NOT NULL REFERENCES revision (n),
  at INTEGER NOT NULL,
  by TEXT NOT NULL CHECK (by <> ''),
  on_behalf_of TEXT,
  note TEXT NOT NULL,
  strategy TEXT NOT NULL CHECK (json_valid(strategy)),
  gates TEXT NOT NULL CHECK (json_valid(gates)),
  emergency INTEGER NOT NULL CHECK (emergency IN (0, 1)),
  waves_sha256 TEXT NOT NULL CHECK (length(waves_sha256) = 64),
  status TEXT NOT NULL CHECK (status IN ('awaiting_approval', 'running', 'paused', 'halted', 'rolled_back', 'completed', 'superseded')),
  reason TEXT NOT NULL,
  phase TEXT NOT NULL CHECK (phase IN ('narrow', 'widen')),
  wave INTEGER NOT NULL CHECK (wave >= 1),
  wave_started_at INTEGER,
  superseded_by INTEGER REFERENCES rollout (id)
) STRICT;
CREATE INDEX rollout_open ON rollout (status) WHERE status NOT IN ('completed', 'superseded');
CREATE TRIGGER rollout_fixed BEFORE UPDATE ON rollout WHEN NEW.id IS NOT OLD.id OR NEW.revision IS NOT OLD.revision OR NEW.strategy IS NOT OLD.strategy OR NEW.gates IS NOT OLD.gates OR NEW.emergency IS NOT OLD.emergency OR NEW.waves_sha256 IS NOT OLD.waves_sha256 OR OLD.status IN ('completed', 'superseded') BEGIN SELECT RAISE(ABORT, 'rollout_fixed'); END;
CREATE TRIGGER rollout_delete BEFORE DELETE ON rollout BEGIN SELECT RAISE(ABORT, 'rollout_append_only'); END;

-- One host in one phase of one rollout. Host, phase and wave never change: the lists are fixed at the start.
CREATE TABLE rollout_host (
  rollout INTEGER NOT NULL REFERENCES rollout (id),
  phase TEXT NOT NULL CHECK (phase IN ('narrow', 'widen')),
  host TEXT NOT NULL,
  wave INTEGER NOT NULL CHECK (wave >= 0),
  standing TEXT NOT NULL CHECK (standing IN ('pending', 'assigned', 'committed', 'reverted', 'failed', 'unknown', 'skipped', 'rolled_back', 'superseded')),
  seq INTEGER,
  assigned_at INTEGER,
  settled_at INTEGER,
  heard_at INTEGER,
  baseline REAL,
  detail TEXT NOT NULL,
  PRIMARY KEY (rollout, phase, host)
) STRICT, WITHOUT ROWID;
CREATE INDEX rollout_host_open ON rollout_host (host) WHERE standing IN ('pending', 'assigned');
CREATE TRIGGER rollout_host_fixed BEFORE UPDATE ON rollout_host WHEN NEW.rollout IS NOT OLD.rollout OR NEW.phase IS NOT OLD.phase OR NEW.host IS NOT OLD.host OR NEW.wave IS NOT OLD.wave BEGIN SELECT RAISE(ABORT, 'rollout_fixed'); END;
CREATE TRIGGER rollout_host_delete BEFORE DELETE ON rollout_host BEGIN SELECT RAISE(ABORT, 'rollout_append_only'); END;

-- Who approved an emergency release; two different principals are needed.
CREATE TABLE approval (
  rollout INTEGER NOT NULL REFERENCES rollout (id),
  principal TEXT NOT NULL CHECK (principal <> ''),
  at INTEGER NOT NULL,
  PRIMARY KEY (rollout, principal)
) STRICT, WITHOUT ROWID;

-- Which bundle ran on a host from when to when, as its own reports said. Append-only but for the end of the open row.
CREATE TABLE run (
  host TEXT NOT NULL,
  from_at INTEGER NOT NULL,
  to_at INTEGER CHECK (to_at >= from_at),
  state TEXT NOT NULL,
  seq INTEGER,
  revision INTEGER,
  bundle_sha256 TEXT,
  program_sha256 TEXT,
  guard_sha256 TEXT,
  report INTEGER NOT NULL,
  PRIMARY KEY (host, from_at, report)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX run_open ON run (host) WHERE to_at IS NULL;
CREATE TRIGGER run_update BEFORE UPDATE ON run WHEN OLD.to_at IS NOT NULL OR NEW.to_at IS NULL OR NEW.host IS NOT OLD.host OR NEW.from_at IS NOT OLD.from_at OR NEW.state IS NOT OLD.state OR NEW.seq IS NOT OLD.seq OR NEW.revision IS NOT OLD.revision OR NEW.bundle_sha256 IS NOT OLD.bundle_sha256 OR NEW.program_sha256 IS NOT OLD.program_sha256 OR NEW.guard_sha256 IS NOT OLD.guard_sha256 OR NEW.report IS NOT OLD.report BEGIN SELECT RAISE(ABORT, 'run_append_only'); END;
CREATE TRIGGER run_delete BEFORE DELETE ON run BEGIN SELECT RAISE(ABORT, 'run_append_only'); END;

-- A rollout's own story is in the audit chain.
CREATE INDEX audit_rollout ON audit (body ->> '$.rollout') WHERE action GLOB 'rollout.*';
