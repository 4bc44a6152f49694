-- SPDX-License-Identifier: Apache-2.0
--
-- log.db: what the log is made of. The file's header says which format this
-- is: application_id "mtlg", user_version 2.

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

-- Signed statements that entries log: what the signature covers, and nothing of
-- the signature. A row without payload was dropped by the operator, for ever.
-- The digests are those of the envelope's PAE, as leaves have them.
CREATE TABLE envelopes (
	id      INTEGER PRIMARY KEY,
	s       BLOB NOT NULL UNIQUE CHECK (length(s) = 32),
	sha384  BLOB NOT NULL UNIQUE CHECK (length(sha384) = 48),
	sha512  BLOB NOT NULL UNIQUE CHECK (length(sha512) = 64),
	type    BLOB,
	payload BLOB,
	CHECK ((type IS NULL) = (payload IS NULL))
) STRICT;

-- Which entry logs an envelope: of each signer the first one. Numbered in the
-- order in which they became known, which the lookup index follows.
CREATE TABLE links (
	id       INTEGER PRIMARY KEY CHECK (id > 0),
	envelope INTEGER NOT NULL,
	signer   BLOB NOT NULL CHECK (length(signer) = 32),
	idx      INTEGER NOT NULL CHECK (idx >= 0),
	UNIQUE (envelope, signer)
) STRICT;
CREATE INDEX links_by_entry ON links (envelope, idx);
