-- What rollouts decide on: that a host was heard of while its wave baked, and that one agent alone has its key.

-- When a host that committed was heard of in the second half of its bake.
ALTER TABLE rollout_host ADD COLUMN affirmed_at INTEGER;
CREATE INDEX rollout_host_assigned ON rollout_host (rollout, phase) WHERE standing = 'assigned';

-- Of the body as it was sent; the host's next report names it. Null for what was stored before reports were chained.
ALTER TABLE report ADD COLUMN sha256 TEXT CHECK (length(sha256) = 64);

-- When two agents were first seen to report under this key; a new key ends that.
ALTER TABLE identity ADD COLUMN suspected_at INTEGER;
