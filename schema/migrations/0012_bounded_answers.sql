-- Whether `response` is the answer itself; where that was too large to be kept, it says its digest and where to look.
ALTER TABLE idempotency ADD COLUMN kept INTEGER NOT NULL DEFAULT 1 CHECK (kept IN (0, 1));
