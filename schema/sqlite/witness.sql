-- SPDX-License-Identifier: Apache-2.0
--
-- witness.db: what a witness has cosigned. Header: application_id "mtlw",
-- user_version 1.

-- The last checkpoint that was cosigned of each log. `log` is the SHA-256 of
-- the origin, as in the address where it can be read. `note` is the checkpoint
-- with the log's verified signatures and no other line; with the cosignature's
-- line behind it, it is what is handed out.
CREATE TABLE heads (
	log         BLOB PRIMARY KEY CHECK (length(log) = 32),
	origin      TEXT NOT NULL,
	size        INTEGER NOT NULL CHECK (size >= 0),
	root        BLOB NOT NULL CHECK (length(root) = 32),
	time        INTEGER NOT NULL CHECK (time > 0),
	note        BLOB NOT NULL,
	cosignature BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What convicts a log: another checkpoint that it signed for a size that had
-- been cosigned with a different root. The cosigned one stands beside it.
CREATE TABLE forks (
	log   BLOB NOT NULL CHECK (length(log) = 32),
	root  BLOB NOT NULL CHECK (length(root) = 32),
	time  INTEGER NOT NULL,
	note  BLOB NOT NULL,
	ours  BLOB NOT NULL,
	PRIMARY KEY (log, root)
) STRICT, WITHOUT ROWID;

-- How many commits there were: one row. The guard file counts them, too, and
-- a database that has lost one is noticed.
CREATE TABLE commits (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	n  INTEGER NOT NULL CHECK (n >= 0)
) STRICT;
INSERT INTO commits VALUES (1, 0);
