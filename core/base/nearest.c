/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/nearest.h"

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The optimal string alignment distance; SIZE_MAX for words too long. */
static size_t
distance(struct bytes a, struct bytes b)
{
	size_t d[NEAREST_MAX + 1][NEAREST_MAX + 1];

	if (a.len > NEAREST_MAX || b.len > NEAREST_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.len; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		d[i][0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			uint8_t x = a.ptr[i - 1], y = b.ptr[j - 1];

			d[i][j] = least(d[i - 1][j - 1] + (x != y),
			    least(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && x == b.ptr[j - 2] &&
			    y == a.ptr[i - 2])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[a.len][b.len];
}

const char *
nearest_word(struct bytes word, const char *const *words)
{
	const char *best = NULL;
	size_t edits = SIZE_MAX;

	for (; *words; words++) {
		size_t d = distance(word, bytes_str(*words));

		if (d < edits) {
			edits = d;
			best = *words;
		}
	}
	return edits <= (word.len + 1) / 3 ? best : NULL;
}
