-- By which request, and from where, somebody decided. Null in rows from before, and where no request was behind it.
ALTER TABLE audit ADD COLUMN request_id TEXT;
ALTER TABLE audit ADD COLUMN source TEXT;

-- What auditors rely on is never deleted, and never replaced: INSERT OR REPLACE fires no delete trigger, so a row that is
-- there refuses another of its key.
CREATE TRIGGER run_insert BEFORE INSERT ON run WHEN EXISTS (SELECT 1 FROM run WHERE host = NEW.host AND ((from_at = NEW.from_at AND report = NEW.report) OR (to_at IS NULL AND NEW.to_at IS NULL))) BEGIN SELECT RAISE(ABORT, 'run_append_only'); END;
CREATE TRIGGER rollout_insert BEFORE INSERT ON rollout WHEN EXISTS (SELECT 1 FROM rollout WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'rollout_append_only'); END;
CREATE TRIGGER rollout_host_insert BEFORE INSERT ON rollout_host WHEN EXISTS (SELECT 1 FROM rollout_host WHERE rollout = NEW.rollout AND phase = NEW.phase AND host = NEW.host) BEGIN SELECT RAISE(ABORT, 'rollout_append_only'); END;
CREATE TRIGGER approval_insert BEFORE INSERT ON approval WHEN EXISTS (SELECT 1 FROM approval WHERE rollout = NEW.rollout AND principal = NEW.principal) BEGIN SELECT RAISE(ABORT, 'approval_append_only'); END;
CREATE TRIGGER approval_update BEFORE UPDATE ON approval BEGIN SELECT RAISE(ABORT, 'approval_append_only'); END;
CREATE TRIGGER approval_delete BEFORE DELETE ON approval BEGIN SELECT RAISE(ABORT, 'approval_append_only'); END;

CREATE TRIGGER token_insert BEFORE INSERT ON token WHEN EXISTS (SELECT 1 FROM token WHERE id = NEW.id OR sha256 = NEW.sha256) BEGIN SELECT RAISE(ABORT, 'token_append_only'); END;
CREATE TRIGGER token_fixed BEFORE UPDATE ON token WHEN NEW.sha256 IS NOT OLD.sha256 OR NEW.created_at IS NOT OLD.created_at OR NEW.created_by IS NOT OLD.created_by BEGIN SELECT RAISE(ABORT, 'token_append_only'); END;
CREATE TRIGGER token_delete BEFORE DELETE ON token BEGIN SELECT RAISE(ABORT, 'token_append_only'); END;
CREATE TRIGGER enrolment_insert BEFORE INSERT ON enrolment WHEN EXISTS (SELECT 1 FROM enrolment WHERE id = NEW.id OR sha256 = NEW.sha256) BEGIN SELECT RAISE(ABORT, 'enrolment_append_only'); END;
CREATE TRIGGER enrolment_fixed BEFORE UPDATE ON enrolment WHEN NEW.created_at IS NOT OLD.created_at OR NEW.created_by IS NOT OLD.created_by BEGIN SELECT RAISE(ABORT, 'enrolment_append_only'); END;
CREATE TRIGGER enrolment_delete BEFORE DELETE ON enrolment BEGIN SELECT RAISE(ABORT, 'enrolment_append_only'); END;

-- A host's key goes only to a later enrolment of that host, under a higher generation, so that tokens of the old key die.
CREATE TRIGGER identity_insert BEFORE INSERT ON identity WHEN EXISTS (SELECT 1 FROM identity WHERE host = NEW.host AND (NEW.generation <= generation OR NEW.enrolment IS enrolment)) OR NOT EXISTS (SELECT 1 FROM enrolment WHERE id = NEW.enrolment AND host = NEW.host AND used_at IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'identity_rewritten'); END;
CREATE TRIGGER identity_fixed BEFORE UPDATE ON identity WHEN NEW.host IS NOT OLD.host OR NEW.generation < OLD.generation OR (NEW.public_key IS NOT OLD.public_key AND NEW.enrolment IS OLD.enrolment) OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NOT OLD.revoked_at AND NEW.enrolment IS OLD.enrolment) BEGIN SELECT RAISE(ABORT, 'identity_rewritten'); END;
CREATE TRIGGER identity_delete BEFORE DELETE ON identity BEGIN SELECT RAISE(ABORT, 'identity_rewritten'); END;

-- The fleet is one row whose numbers only rise.
CREATE TRIGGER fleet_insert BEFORE INSERT ON fleet BEGIN SELECT RAISE(ABORT, 'fleet_append_only'); END;
CREATE TRIGGER fleet_rises BEFORE UPDATE ON fleet WHEN NEW.id IS NOT OLD.id OR NEW.head < OLD.head OR NEW.generation < OLD.generation BEGIN SELECT RAISE(ABORT, 'fleet_append_only'); END;
CREATE TRIGGER fleet_delete BEFORE DELETE ON fleet BEGIN SELECT RAISE(ABORT, 'fleet_append_only'); END;
