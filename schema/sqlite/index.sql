-- SPDX-License-Identifier: Apache-2.0
--
-- index.db: from keys to entry indexes. Derived from log.db and rebuilt from
-- it when in doubt. Header: application_id "mtli", user_version 1.

-- Rows in sorted runs: a batch becomes (or joins) the newest run, and four runs
-- of a tier are merged into one of the next. So every write goes through the
-- file in key order, whatever its size.
CREATE TABLE lookup (
	run  INTEGER NOT NULL,
	kind INTEGER NOT NULL,
	key  BLOB NOT NULL,
	idx  INTEGER NOT NULL,
	PRIMARY KEY (run, kind, key, idx)
) STRICT, WITHOUT ROWID;

-- `target` is the run into which this one is being moved, if it is.
CREATE TABLE runs (
	id     INTEGER PRIMARY KEY,
	tier   INTEGER NOT NULL,
	count  INTEGER NOT NULL,
	target INTEGER
) STRICT;

-- The tree head up to which the index is complete: exactly one row.
CREATE TABLE marker (
	id   INTEGER PRIMARY KEY CHECK (id = 1),
	size INTEGER NOT NULL,
	root BLOB NOT NULL CHECK (length(root) = 32)
) STRICT;
INSERT INTO marker VALUES (1, 0, zeroblob(32));
