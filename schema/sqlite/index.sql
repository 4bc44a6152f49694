-- SPDX-License-Identifier: Apache-2.0
--
-- index.db: from keys to entry indexes. Derived from log.db and rebuilt from
-- it when in doubt. Header: application_id "mtli", user_version 2.

-- Rows in sorted runs: a batch becomes (or joins) the newest run, and four runs
-- of a tier are merged into one of the next. So every write goes through the
-- file in key order, whatever its size.
-- Kinds are enum index_kind (server/store/index.h). The keys of 1 to 3 are a leaf
-- hash, a signed digest (or its SHA-256) and the SHA-256 of an SPKI. Those of 4
-- and more are of the envelope that the entry is linked to (log.sql):
-- SHA-256(kind as one byte, SHA-256(value), SHA-256(second value or nothing)).
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

-- The tree head and the link up to which the index is complete: one row.
CREATE TABLE marker (
	id   INTEGER PRIMARY KEY CHECK (id = 1),
	size INTEGER NOT NULL,
	root BLOB NOT NULL CHECK (length(root) = 32),
	links INTEGER NOT NULL CHECK (links >= 0)
) STRICT;
INSERT INTO marker VALUES (1, 0, zeroblob(32), 0);
