-- That a rollout had nothing to do when all of it was last read, and until when time alone gives it nothing. Only a memory: without it a minute reads more.
CREATE TABLE rollout_look (
  rollout INTEGER PRIMARY KEY REFERENCES rollout (id),
  -- The last row of the audit chain before it was read.
  audit INTEGER NOT NULL,
  looked_at INTEGER NOT NULL,
  quiet_until INTEGER NOT NULL
) STRICT;
CREATE INDEX report_received ON report (received_at);
-- Whether a rollout still waits for a host, without reading those that it does not wait for.
CREATE INDEX IF NOT EXISTS rollout_host_assigned ON rollout_host (rollout, phase) WHERE standing = 'assigned';
