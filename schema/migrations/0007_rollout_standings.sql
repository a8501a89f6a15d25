-- Hosts that are adopting are shown a revision, and hosts that were ill before it wait apart: neither is a failure of it.
-- The CHECK of `standing` cannot grow in place: such a row says `skipped` there, and what it is here.
ALTER TABLE rollout_host ADD COLUMN aside TEXT CHECK (aside IN ('shown', 'apart'));
-- The agent's state in its last report before the assignment; null where it had sent none.
ALTER TABLE rollout_host ADD COLUMN state_before TEXT;
