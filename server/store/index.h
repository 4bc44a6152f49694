/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_STORE_INDEX_H
#define MTLOG_SERVER_STORE_INDEX_H

#include "core/base/error.h"
#include "core/crypto/hash.h"

/*
 * The lookup index: a SQLite file of its own (index.db) that follows the log
 * in large sorted batches, each committed together with the tree head up to
 * which it is complete. It is derived data: anything wrong with it is mended
 * by rebuilding. Rows are (kind, key, index); several entries may share a key.
 */
enum index_kind {
	INDEX_LEAF = 1,	  /* SHA-256 leaf hash (full 256 bits) */
	INDEX_DIGEST = 2, /* SHA-256 of the raw digest that was signed, if that
			     is not 32 bytes long, else the digest itself */
	INDEX_SIGNER = 3, /* SHA-256 of the verifier's SPKI */

	/* What an envelope says, at the entries that are linked to it; the
	 * keys are server/catalog.h's. */
	INDEX_STATEMENT = 4, /* its S */
	INDEX_MODEL = 5,
	INDEX_VERSION = 6,
	INDEX_MODEL_VERSION = 7,
	INDEX_ROOT = 8,
	INDEX_FILE = 9, /* digest of a file, or of a shard of one */
	INDEX_TYPE = 10,
	INDEX_SUBJECT = 11, /* the S or key that it speaks about */
	INDEX_IDENTITY = 12,
	/* With the signer: nobody else can bury what is found by these. */
	INDEX_SIGNER_MODEL = 13,
	INDEX_SIGNER_TYPE = 14,
	INDEX_SIGNER_SUBJECT = 15,
	INDEX_KINDS,
};

struct index_row {
	enum index_kind kind;
	struct hash key;
	uint64_t index;
};

/* What the index is complete for: entries of the tree with this head, and
 * links (store.h) up to this number. */
struct index_marker {
	uint64_t size;
	struct hash root;
	uint64_t links;
};

struct index_file;
struct index_reader;

/*
 * index_open opens or makes the file in folder `dir`; a file that is not a
 * sound index is deleted and made anew (it is derived). One writer.
 */
struct index_file *index_open(
    const char *dir, bool read_only, struct error *err) MUST_USE;
void index_close(struct index_file *f);

/* index_marker reads the marker (size 0 when new). */
bool index_marker(
    struct index_file *f, struct index_marker *out, struct error *err) MUST_USE;

/*
 * index_append sorts `rows` in place and adds them with the new marker in one
 * transaction. Rows that are there already are no error (replay).
 */
bool index_append(struct index_file *f, struct index_row *rows, size_t count,
    const struct index_marker *marker, struct error *err) MUST_USE;

/* index_drop_rows takes rows out; those that are not there are no error. For
 * `mtlogd envelope drop`: everything else only adds. */
bool index_drop_rows(struct index_file *f, const struct index_row *rows,
    size_t count, struct error *err) MUST_USE;

/* index_reset empties it: no rows, marker 0. */
bool index_reset(struct index_file *f, struct error *err) MUST_USE;

/* index_remove deletes the files: readers go on, and the next index_open makes
 * new ones. Another thread may be writing. */
bool index_remove(struct index_file *f, struct error *err);

/* index_compact keeps its write-ahead log small; between batches. */
bool index_compact(struct index_file *f, struct error *err) MUST_USE;

struct index_reader *index_reader_open(struct index_file *f, struct error *err)
    MUST_USE;
void index_reader_close(struct index_reader *r);

/*
 * index_reader_hold takes a snapshot that all following calls see, until
 * index_reader_rest: it saves what a snapshot for each costs. A held one keeps
 * the write-ahead log from being used anew. Without, each call has its own.
 */
bool index_reader_hold(struct index_reader *r, struct error *err) MUST_USE;
void index_reader_rest(struct index_reader *r);

/*
 * index_find gives up to `max` entry indexes with this kind and key, ascending
 * from `from` (inclusive), or descending from it when `newest_first`; and in
 * `*marker` the size up to which the answer is complete (same snapshot).
 */
bool index_find(struct index_reader *r, enum index_kind kind,
    const struct hash *key, uint64_t from, bool newest_first, size_t max,
    uint64_t *out, size_t *count, uint64_t *marker, struct error *err) MUST_USE;

/*
 * index_scan calls `each` for every row, by kind, then key, until that returns
 * false: so does the scan then.
 */
bool index_scan(struct index_reader *r,
    bool (*each)(void *arg, const struct index_row *row, struct error *err),
    void *arg, struct error *err) MUST_USE;

#endif
