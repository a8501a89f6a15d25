-- Who paused a rollout: evidence, which may end its own pause, or a person. It stood only in the sentence that says why.
ALTER TABLE rollout ADD COLUMN paused_by TEXT CHECK (paused_by IN ('evidence', 'person'));
UPDATE rollout SET paused_by = CASE WHEN reason LIKE 'waits: %' THEN 'evidence' ELSE 'person' END WHERE status = 'paused';
