-- Who writes next, where writers raced too often: the others wait. A courtesy that decides nothing: without it, or past its end, the audit chain settles who was first.
CREATE TABLE turn (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  holder TEXT NOT NULL CHECK (holder <> ''),
  until INTEGER NOT NULL
) STRICT;
