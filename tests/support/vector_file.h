/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SUPPORT_VECTOR_FILE_H
#define MTLOG_TESTS_SUPPORT_VECTOR_FILE_H

#include <stdio.h>
#include <stdlib.h>

#include "core/base/buf.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "core/crypto/hash.h"

#define VECTOR_PATH_MAX 1024

/* vector_own is the path of tests/vectors/<name>; vector_public, of <name> in
 * the public vectors. Both borrow `path`. */
static inline const char *
vector_own(char path[VECTOR_PATH_MAX], const char *name)
{
	const char *srcdir = getenv("srcdir");

	(void)snprintf(path, VECTOR_PATH_MAX, "%s/tests/vectors/%s",
	    srcdir ? srcdir : ".", name);
	return path;
}

static inline const char *
vector_public(char path[VECTOR_PATH_MAX], const char *name)
{
	const char *root = getenv("MTLOG_VECTORS");
	const char *srcdir = getenv("srcdir");

	if (root)
		(void)snprintf(path, VECTOR_PATH_MAX, "%s/%s", root, name);
	else
		(void)snprintf(path, VECTOR_PATH_MAX, "%s/../shared/vectors/%s",
		    srcdir ? srcdir : ".", name);
	return path;
}

/* vector_read appends a file's bytes; false if it cannot be read whole. */
static inline bool
vector_read(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");
	bool ok;

	if (!f)
		return false;
	for (;;) {
		uint8_t *p = buf_reserve(out, 4096);
		size_t n = p ? fread(p, 1, 4096, f) : 0;

		buf_grow(out, n);
		if (n == 0)
			break;
	}
	ok = !ferror(f) && !out->failed;
	(void)fclose(f);
	return ok;
}

/* vector_word takes the next word of a line of words and single spaces. */
static inline bool
vector_word(struct reader *line, struct bytes *out)
{
	if (reader_done(line))
		return false;
	if (!reader_until(line, ' ', out)) {
		*out = line->rest;
		line->rest = bytes_slice(*out, out->len, out->len);
	}
	return true;
}

/* vector_number and vector_hash take a word that must be one. */
static inline bool
vector_number(struct reader *line, uint64_t *out)
{
	struct bytes word;

	return vector_word(line, &word) && decimal_parse(word, out);
}

static inline bool
vector_hash(struct reader *line, struct hash *out)
{
	struct bytes word;

	return vector_word(line, &word) && hex_decode(word, out->b, HASH_LEN);
}

#endif
