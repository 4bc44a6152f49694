/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/store/sqlite_util.h"
#include "server/store/store_sqlite_parts.h"

/*
 * Envelopes and links, in the same file as the entries so that one transaction
 * has both. Nothing here is touched by an entry that comes without an envelope.
 */
#define LINK_STRIDE 16 /* links (with up to 1 MiB each) in one transaction */

#define SELECT_ENVELOPE "SELECT type, payload FROM envelopes AS e WHERE "
#define LINKED_BELOW                                                           \
	" AND EXISTS (SELECT 1 FROM links WHERE envelope = e.id AND idx < ?2)"

static const char *const queries[READINGS] = {
    [BY_S] = SELECT_ENVELOPE "s = ?1" LINKED_BELOW,
    [BY_SHA384] = SELECT_ENVELOPE "sha384 = ?1" LINKED_BELOW,
    [BY_SHA512] = SELECT_ENVELOPE "sha512 = ?1" LINKED_BELOW,
    [FIND_LINK] = "SELECT idx FROM links JOIN envelopes AS e"
		  " ON e.id = envelope WHERE e.s = ?1 AND signer = ?2",
    [LINKS] = "SELECT l.id, l.idx, l.signer, e.s, e.sha384, e.sha512, e.type,"
	      " e.payload FROM links AS l JOIN envelopes AS e"
	      " ON e.id = l.envelope WHERE l.id > ?1 ORDER BY l.id LIMIT ?2",
    [COUNT] = "SELECT count(payload), count(*) - count(payload),"
	      " count(*) - (SELECT count(DISTINCT envelope) FROM links)"
	      " FROM envelopes",
};

static int
bind_bytes(sqlite3_stmt *stmt, int at, struct bytes b)
{
	/* a NULL pointer would bind NULL, not an empty blob */
	return sqlite3_bind_blob64(stmt, at,
	    b.ptr ? b.ptr : (const uint8_t *)"", b.len, SQLITE_STATIC);
}

static int
add_envelope(struct store *s, const struct store_link *l)
{
	sqlite3_stmt *stmt = s->stmt[ADD_ENVELOPE];
	sqlite3_clear_bindings(stmt);
	int rc = bind_bytes(stmt, 1, hash_bytes(&l->s));
	if (rc == SQLITE_OK)
		rc = bind_bytes(stmt, 2, BYTES_OF(l->sha384));
	if (rc == SQLITE_OK)
		rc = bind_bytes(stmt, 3, BYTES_OF(l->sha512));
	if (rc == SQLITE_OK && !l->dropped)
		rc = bind_bytes(stmt, 4, l->type);
	if (rc == SQLITE_OK && !l->dropped)
		rc = bind_bytes(stmt, 5, l->payload);
	if (rc == SQLITE_OK)
		rc = sqlite_step_done(stmt);
	sqlite3_clear_bindings(stmt);
	return rc;
}

static int
add_link(struct store *s, struct store_link *l)
{
	sqlite3_stmt *stmt = s->stmt[ADD_LINK];
	int rc = bind_bytes(stmt, 1, hash_bytes(&l->s));
	if (rc == SQLITE_OK)
		rc = bind_bytes(stmt, 2, hash_bytes(&l->signer));
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)l->index);
	sqlite3_bind_int(stmt, 4, l->dropped);
	if (rc == SQLITE_OK)
		rc = sqlite_step_done(stmt);
	sqlite3_clear_bindings(stmt);
	l->id = 0;
	if (rc == SQLITE_OK && sqlite3_changes(s->db) > 0)
		l->id = (uint64_t)sqlite3_last_insert_rowid(s->db);
	return rc;
}

int
log_add_links(struct store *s, const struct store_batch *b)
{
	int rc = SQLITE_OK;
	for (size_t i = 0; rc == SQLITE_OK && i < b->link_count; i++) {
		/* A link to an entry that is not there would never be seen. */
		if (b->links[i].index >= b->first + b->count)
			return SQLITE_MISUSE;
		rc = add_envelope(s, &b->links[i]);
		if (rc == SQLITE_OK)
			rc = add_link(s, &b->links[i]);
	}
	return rc;
}

int
log_drop_links(struct store *s, uint64_t size)
{
	sqlite3_stmt *stmt = s->stmt[DROP_LINKS];
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)size);
	int rc = sqlite_step_done(stmt);
	return rc == SQLITE_OK && sqlite3_changes(s->db) > 0
	    ? sqlite_step_done(s->stmt[DROP_ALONE])
	    : rc;
}

bool
log_drop_envelope(struct store *s, const struct hash *digest, struct error *err)
{
	if (!log_may_write(s, err))
		return false;
	/* What is dropped is overwritten, not only forgotten. */
	if (!sqlite_run(s->db, "PRAGMA secure_delete = ON", err))
		return false;
	sqlite3_stmt *stmt = s->stmt[DROP_ENVELOPE];
	int rc = log_begin(s);
	if (rc == SQLITE_OK)
		rc = bind_bytes(stmt, 1, hash_bytes(digest));
	if (rc == SQLITE_OK)
		rc = sqlite_step_done(stmt);
	sqlite3_clear_bindings(stmt);
	if (rc != SQLITE_OK)
		return log_give_up(s, rc, "drop envelope", err);
	bool found = sqlite3_changes(s->db) > 0;
	if (!log_commit(s, "drop envelope", err))
		return false;
	return found ||
	    error_reason(err, ERR_NOTFOUND, "no-such-envelope",
		"the log keeps no such envelope");
}

/* The query, prepared and without bindings; NULL with `err`. */
static sqlite3_stmt *
query(struct store_reader *r, enum reading which, struct error *err)
{
	sqlite3_stmt **stmt = &r->envelopes[which];
	if (!*stmt && !sqlite_prepare(r->db, queries[which], stmt, err))
		return NULL;
	return *stmt;
}

/* A column that must be a blob of `len` bytes; copied. */
static bool
take_exactly(sqlite3_stmt *stmt, int column, void *out, size_t len)
{
	const void *data = sqlite3_column_blob(stmt, column);
	if (sqlite3_column_type(stmt, column) != SQLITE_BLOB || !data ||
	    sqlite3_column_bytes(stmt, column) != (int)len)
		return false;
	memcpy(out, data, len);
	return true;
}

/* A blob of any length; false without memory for it. */
static bool
view(sqlite3_stmt *stmt, int column, struct bytes *out)
{
	const void *data = sqlite3_column_blob(stmt, column);
	int len = sqlite3_column_bytes(stmt, column);
	*out = bytes_of(data, (size_t)len);
	return data || len == 0;
}

static bool
absent(struct error *err)
{
	return error_reason(err, ERR_NOTFOUND, "no-such-envelope",
	    "the log keeps no such envelope");
}

static bool
take_envelope(struct store_reader *r, sqlite3_stmt *stmt,
    struct store_envelope *out, struct error *err)
{
	struct bytes type, payload;
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_DONE)
		return absent(err);
	if (rc != SQLITE_ROW)
		return log_fail(r->store, r->db, rc, "read envelope", err);
	if (sqlite3_column_type(stmt, 1) == SQLITE_NULL)
		return error_reason(err, ERR_NOTFOUND, "envelope-dropped",
		    "the operator of the log dropped this envelope");
	if (!out)
		return true;
	if (!view(stmt, 0, &type) || !view(stmt, 1, &payload))
		return sqlite_fail(r->db, SQLITE_NOMEM, "read envelope", err);
	buf_put(&out->type, type);
	buf_put(&out->payload, payload);
	return buf_ok(&out->type, err) && buf_ok(&out->payload, err);
}

bool
log_read_envelope(struct store_reader *r, struct bytes digest, uint64_t size,
    struct store_envelope *out, struct error *err)
{
	enum reading which = digest.len == 32 ? BY_S
	    : digest.len == 48		      ? BY_SHA384
					      : BY_SHA512;
	sqlite3_stmt *stmt = query(r, which, err);
	if (!stmt)
		return false;
	if (size > INT64_MAX)
		size = INT64_MAX;
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)size);
	bool ok = bind_bytes(stmt, 1, digest) == SQLITE_OK
	    ? take_envelope(r, stmt, out, err)
	    : sqlite_fail(r->db, SQLITE_NOMEM, "read envelope", err);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return ok;
}

bool
log_find_link(struct store_reader *r, const struct hash *s,
    const struct hash *signer, uint64_t *index, struct error *err)
{
	sqlite3_stmt *stmt = query(r, FIND_LINK, err);
	if (!stmt)
		return false;
	int rc = bind_bytes(stmt, 1, hash_bytes(s));
	if (rc == SQLITE_OK)
		rc = bind_bytes(stmt, 2, hash_bytes(signer));
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	bool ok = rc == SQLITE_ROW;
	if (ok)
		*index = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	if (rc == SQLITE_DONE)
		return absent(err);
	return ok || log_fail(r->store, r->db, rc, "find link", err);
}

static bool
take_link(struct store_reader *r, sqlite3_stmt *stmt, struct store_link *out,
    struct error *err)
{
	int64_t id = sqlite3_column_int64(stmt, 0);
	int64_t index = sqlite3_column_int64(stmt, 1);
	*out = (struct store_link){
	    .id = (uint64_t)id,
	    .index = (uint64_t)index,
	    .dropped = sqlite3_column_type(stmt, 7) == SQLITE_NULL,
	};
	if (id <= 0 || index < 0 ||
	    !take_exactly(stmt, 2, out->signer.b, HASH_LEN) ||
	    !take_exactly(stmt, 3, out->s.b, HASH_LEN) ||
	    !take_exactly(stmt, 4, out->sha384, sizeof(out->sha384)) ||
	    !take_exactly(stmt, 5, out->sha512, sizeof(out->sha512)))
		return log_fail(r->store, NULL, SQLITE_CORRUPT, "link", err);
	if (!view(stmt, 6, &out->type) || !view(stmt, 7, &out->payload))
		return sqlite_fail(r->db, SQLITE_NOMEM, "read links", err);
	return true;
}

typedef bool (*link_function)(
    void *arg, const struct store_link *link, struct error *err);

/* Some links in one transaction; `*after` moves on. */
static bool
link_stride(struct store_reader *r, sqlite3_stmt *stmt, uint64_t *after,
    size_t *count, link_function each, void *arg, struct error *err)
{
	struct store_link link;
	int rc = SQLITE_DONE;
	bool ok = true;
	*count = 0;
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)*after);
	sqlite3_bind_int(stmt, 2, LINK_STRIDE);
	while (ok && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		ok = take_link(r, stmt, &link, err) && each(arg, &link, err);
		*after = link.id;
		++*count;
	}
	sqlite3_reset(stmt);
	return ok &&
	    (rc == SQLITE_DONE ||
		log_fail(r->store, r->db, rc, "read links", err));
}

bool
log_read_links(struct store_reader *r, uint64_t after, link_function each,
    void *arg, struct error *err)
{
	sqlite3_stmt *stmt = query(r, LINKS, err);
	size_t count = LINK_STRIDE;
	if (!stmt)
		return false;
	while (count == LINK_STRIDE && after <= INT64_MAX)
		if (!link_stride(r, stmt, &after, &count, each, arg, err))
			return false;
	return true;
}

bool
log_count_envelopes(
    struct store_reader *r, struct store_envelopes *out, struct error *err)
{
	sqlite3_stmt *stmt = query(r, COUNT, err);
	if (!stmt)
		return false;
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*out = (struct store_envelopes){
		    .kept = (uint64_t)sqlite3_column_int64(stmt, 0),
		    .dropped = (uint64_t)sqlite3_column_int64(stmt, 1),
		    .alone = (uint64_t)sqlite3_column_int64(stmt, 2),
		};
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW ||
	    log_fail(r->store, r->db, rc, "count envelopes", err);
}
