/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_BASE_JSON_READER_H
#define MTLOG_CORE_BASE_JSON_READER_H

#include "core/base/arena.h"

/* Members of one object whose names are remembered, to find duplicates. */
#define JSON_READER_MEMBERS 64

/*
 * A strict pull parser of JSON (RFC 8259) for documents too large for a tree:
 * nothing is kept but what its user takes. It reads as a schema does:
 *
 *	struct json_object o;
 *	ok = json_object_open(r, &o);
 *	while (ok && json_object_next(r, &o, &name))
 *		if (bytes_equal(name, BYTES_LIT("digest")))
 *			ok = json_reader_string(r, &digest);
 *		else
 *			ok = json_reader_skip(r);
 *	ok = ok && json_reader_ok(r);
 *
 * Refused everywhere, also in what is skipped: a member twice in an object,
 * more than JSON_READER_MEMBERS in one, invalid UTF-8, NUL characters, lone
 * surrogates, nesting over JSON_MAX_DEPTH (json.h). The first failure latches in
 * `err` (ERR_SYNTAX, ERR_LIMIT, ERR_INTERNAL) and ends every loop.
 *
 * Strings borrow from the input if they need no unescaping, else lie in the
 * arena.
 */
struct json_reader {
	struct bytes rest;
	struct bytes whole;
	struct arena *arena;
	struct error *err;
	unsigned depth;
};

/* json_reader_init reads `in`; strings go to `arena`, failures to `err`. */
void json_reader_init(struct json_reader *r, struct bytes in,
    struct arena *arena, struct error *err);

/* json_reader_part reads `raw`, which json_reader_raw has viewed in what `r`
 * reads: places in messages are those of the whole. */
void json_reader_part(
    const struct json_reader *r, struct bytes raw, struct json_reader *out);

/* json_reader_ok tells whether nothing failed; json_reader_end also that
 * nothing follows. */
bool json_reader_ok(const struct json_reader *r) MUST_USE;
bool json_reader_end(struct json_reader *r) MUST_USE;

/* An object being read. */
struct json_object {
	size_t count;
	bool begun;
	struct bytes names[JSON_READER_MEMBERS];
};

bool json_object_open(struct json_reader *r, struct json_object *o) MUST_USE;

/* json_object_next takes the next member's name; its value must then be read
 * or skipped. False at the end, and on failure. */
bool json_object_next(
    struct json_reader *r, struct json_object *o, struct bytes *name) MUST_USE;

/* An array being read; its elements are read in a loop over json_array_next. */
struct json_array {
	bool begun;
};

bool json_array_open(struct json_reader *r, struct json_array *a) MUST_USE;
bool json_array_next(struct json_reader *r, struct json_array *a) MUST_USE;

/* Scalars. */
bool json_reader_string(struct json_reader *r, struct bytes *out) MUST_USE;
bool json_reader_bool(struct json_reader *r, bool *out) MUST_USE;

/*
 * json_reader_integer reads a number >= 0 that is integral and at most 2^53:
 * 7, 1000.0 and 1e9 alike, as writers of doubles have it.
 */
bool json_reader_integer(struct json_reader *r, uint64_t *out) MUST_USE;

/* json_reader_null takes null if it is next; false (and no failure) if not. */
bool json_reader_null(struct json_reader *r) MUST_USE;

/* json_reader_next is the first character of the next value ('{', '[', '"',
 * 't', 'f', 'n', '-' or a digit), or 0. */
char json_reader_next(struct json_reader *r);

/* json_reader_skip reads a value of any kind and drops it; json_reader_raw
 * views its text, which borrows from the input. */
bool json_reader_skip(struct json_reader *r) MUST_USE;
bool json_reader_raw(struct json_reader *r, struct bytes *out) MUST_USE;

/* json_reader_fail latches a failure of the user's own. Returns false. */
bool json_reader_fail(struct json_reader *r, const char *text);

#endif
