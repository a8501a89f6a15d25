-- An invitation ends before its time when it is taken back: by a person, by a newer one, by the use of another, or with what it was made for or by.
ALTER TABLE enrolment ADD COLUMN ended_at INTEGER;
CREATE INDEX enrolment_open ON enrolment (host) WHERE used_at IS NULL AND ended_at IS NULL;
-- Of several that were open, the newest stays.
UPDATE enrolment SET ended_at = created_at WHERE used_at IS NULL AND EXISTS (SELECT 1 FROM enrolment AS newer WHERE newer.host = enrolment.host AND newer.used_at IS NULL AND (newer.created_at > enrolment.created_at OR (newer.created_at = enrolment.created_at AND newer.id > enrolment.id)));
CREATE TRIGGER enrolment_ended BEFORE UPDATE ON enrolment WHEN OLD.used_at IS NOT NULL OR OLD.ended_at IS NOT NULL OR NEW.id IS NOT OLD.id OR NEW.host IS NOT OLD.host OR NEW.sha256 IS NOT OLD.sha256 OR NEW.expires_at IS NOT OLD.expires_at BEGIN SELECT RAISE(ABORT, 'enrolment_ended'); END;
