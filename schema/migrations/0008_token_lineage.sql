-- Who made a token, so that a token is a principal with a line of makers and not a name. Tokens from before are the first of a line of their own.

-- The token that made it; null for one that the first operator token made.
ALTER TABLE token ADD COLUMN parent TEXT REFERENCES token (id);
-- The first of its line. Two tokens of one line are in the hands of whoever holds the first.
ALTER TABLE token ADD COLUMN ancestor TEXT;
UPDATE token SET ancestor = id;
CREATE INDEX token_parent ON token (parent);
CREATE INDEX token_ancestor ON token (ancestor);
CREATE INDEX token_name ON token (name);
-- A name stands in the audit for ever, so it is given once.
CREATE TRIGGER token_name_once BEFORE INSERT ON token WHEN EXISTS (SELECT 1 FROM token WHERE name = NEW.name) BEGIN SELECT RAISE(ABORT, 'token_name_once'); END;
CREATE TRIGGER token_line BEFORE INSERT ON token WHEN NEW.ancestor IS NOT coalesce((SELECT ancestor FROM token WHERE id = NEW.parent), NEW.id) OR (NEW.parent IS NOT NULL AND NOT EXISTS (SELECT 1 FROM token WHERE id = NEW.parent AND revoked_at IS NULL)) BEGIN SELECT RAISE(ABORT, 'token_line'); END;
CREATE TRIGGER token_line_fixed BEFORE UPDATE ON token WHEN NEW.id IS NOT OLD.id OR NEW.name IS NOT OLD.name OR NEW.parent IS NOT OLD.parent OR NEW.ancestor IS NOT OLD.ancestor OR NEW.scopes IS NOT OLD.scopes OR NEW.expires_at IS NOT OLD.expires_at OR OLD.revoked_at IS NOT NULL BEGIN SELECT RAISE(ABORT, 'token_line'); END;
