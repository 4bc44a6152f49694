/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SUPPORT_STAMP_FILE_H
#define MTLOG_TESTS_SUPPORT_STAMP_FILE_H

#include "core/base/reader.h"
#include "core/identity/timestamp.h"

#define STAMP_FILE_MAX 64 /* certificates of each kind that are read */

/* A .stamp file of make_timestamp_vectors.py; the views point into it. */
struct stamp_file {
	struct chain authority;
	struct bytes intermediates[STAMP_FILE_MAX];
	struct bytes anchors[STAMP_FILE_MAX];
	struct bytes message;
	struct bytes token;
};

static inline bool
stamp_file_part(struct reader *r, struct bytes *out)
{
	uint16_t n;

	return reader_u16(r, &n) && reader_bytes(r, n, out);
}

static inline bool
stamp_file_parse(struct bytes in, struct stamp_file *out)
{
	uint8_t anchors, intermediates;
	struct reader r = {in};

	*out = (struct stamp_file){0};
	if (!reader_u8(&r, &anchors) || !reader_u8(&r, &intermediates) ||
	    anchors > STAMP_FILE_MAX || intermediates > STAMP_FILE_MAX)
		return false;
	for (size_t i = 0; i < anchors; i++)
		if (!stamp_file_part(&r, &out->anchors[i]))
			return false;
	for (size_t i = 0; i < intermediates; i++)
		if (!stamp_file_part(&r, &out->intermediates[i]))
			return false;
	out->authority.anchor_count = anchors;
	out->authority.anchors = out->anchors;
	out->authority.intermediate_count = intermediates;
	out->authority.intermediates = out->intermediates;
	if (!stamp_file_part(&r, &out->authority.leaf) ||
	    !stamp_file_part(&r, &out->message))
		return false;
	out->token = r.rest;
	return true;
}

#endif
