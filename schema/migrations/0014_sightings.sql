-- When hosts were last seen polling, a share of the fleet in each row: {"host": Unix seconds}. A row a poll would be too many.
CREATE TABLE sighting (
  share INTEGER PRIMARY KEY CHECK (share BETWEEN 0 AND 63),
  hosts TEXT NOT NULL CHECK (json_valid(hosts))
) STRICT;
