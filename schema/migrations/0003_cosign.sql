-- Targets that wait for operators' signatures, at most one set for each host: `targets` is the exact text to be signed. Seqs only
-- rise and name one content for ever, so a row goes only when its targets are published, and another content takes the next seq.
CREATE TABLE pending (
  host TEXT PRIMARY KEY,
  seq INTEGER NOT NULL CHECK (seq >= 1),
  revision INTEGER NOT NULL REFERENCES revision (n),
  bundle_sha256 TEXT NOT NULL CHECK (length(bundle_sha256) = 64),
  bundle_length INTEGER NOT NULL,
  targets TEXT NOT NULL CHECK (json_valid(targets)),
  targets_expires_at INTEGER NOT NULL,
  signatures TEXT NOT NULL CHECK (json_valid(signatures)),
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER pending_insert BEFORE INSERT ON pending WHEN NEW.seq <= coalesce((SELECT seq FROM repository WHERE host = NEW.host), 0) OR NEW.seq <= coalesce((SELECT seq FROM pending WHERE host = NEW.host), 0) BEGIN SELECT RAISE(ABORT, 'stale_repository'); END;
CREATE TRIGGER pending_update BEFORE UPDATE ON pending WHEN NEW.host IS NOT OLD.host OR NEW.seq < OLD.seq OR (NEW.seq = OLD.seq AND NEW.targets IS NOT OLD.targets) BEGIN SELECT RAISE(ABORT, 'stale_repository'); END;
CREATE TRIGGER pending_delete BEFORE DELETE ON pending WHEN OLD.seq > coalesce((SELECT seq FROM repository WHERE host = OLD.host), 0) BEGIN SELECT RAISE(ABORT, 'stale_repository'); END;
