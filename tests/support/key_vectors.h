/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SUPPORT_KEY_VECTORS_H
#define MTLOG_TESTS_SUPPORT_KEY_VECTORS_H

#include "core/base/cleanup.h"
#include "tests/support/vector_file.h"

#define KEY_ROW_WORDS 6
#define KEY_FILE_MAX  (1024 * 1024)

/*
 * One line of a file of make_key_vectors.py: `texts` names and verdicts, then
 * `count - texts` values in hex, "-" for an empty one.
 */
struct key_row {
	struct bytes text[KEY_ROW_WORDS];
	struct buf value[KEY_ROW_WORDS];
};

static inline void
key_row_release(struct key_row *row)
{
	for (size_t i = 0; i < KEY_ROW_WORDS; i++)
		buf_release(&row->value[i]);
}

static inline bool
key_row_value(struct bytes word, struct buf *out)
{
	uint8_t *p;

	buf_init(out, KEY_FILE_MAX);
	if (bytes_equal(word, BYTES_LIT("-")))
		return true;
	p = buf_reserve(out, word.len / 2);
	if (!p || !hex_decode(word, p, word.len / 2))
		return false;
	buf_grow(out, word.len / 2);
	return true;
}

/*
 * key_rows_each runs `visit` for every row of tests/vectors/key/<name>; the
 * number of rows, or 0 where the file is not as it should be.
 */
static inline size_t
key_rows_each(const char *name, size_t texts, size_t count,
    void (*visit)(const struct key_row *row))
{
	AUTO(buf) file = BUF_INIT(KEY_FILE_MAX);
	char path[VECTOR_PATH_MAX], inside[64];
	struct reader lines;
	struct bytes line;
	size_t rows = 0;

	(void)snprintf(inside, sizeof(inside), "key/%s", name);
	if (!vector_read(vector_own(path, inside), &file))
		return 0;
	reader_init(&lines, buf_bytes(&file));
	while (reader_line(&lines, &line)) {
		AUTO(key_row) row = {0};
		struct reader words = {line};

		if (bytes_starts(line, BYTES_LIT("#")))
			continue;
		for (size_t i = 0; i < count; i++)
			if (!vector_word(&words, &row.text[i]) ||
			    (i >= texts &&
				!key_row_value(row.text[i], &row.value[i])))
				return 0;
		visit(&row);
		rows++;
	}
	return rows;
}

#endif
