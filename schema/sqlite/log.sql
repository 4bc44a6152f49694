-- SPDX-License-Identifier: Apache-2.0
--
-- log.db: what the log is made of. The file's header says which format this
-- is: application_id "mtlg", user_version 1.

-- The leaves, byte for byte. Only the integer key: a second B-tree over random
-- keys would make every commit slower as the log grows (index.sql has those).
CREATE TABLE entries (
	idx  INTEGER PRIMARY KEY CHECK (idx >= 0),
	leaf BLOB NOT NULL
) STRICT;

-- Full tiles of 256 SHA-256 hashes. A partial tile is a prefix of a full one
-- that is still growing, so none is stored.
CREATE TABLE tiles (
	level  INTEGER NOT NULL CHECK (level BETWEEN 0 AND 7),
	idx    INTEGER NOT NULL CHECK (idx >= 0),
	hashes BLOB NOT NULL CHECK (length(hashes) = 8192),
	PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;
