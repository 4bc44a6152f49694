/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SUPPORT_CHAIN_FILE_H
#define MTLOG_TESTS_SUPPORT_CHAIN_FILE_H

#include "core/base/reader.h"
#include "core/identity/x509_chain.h"

#define CHAIN_FILE_MAX 64 /* certificates of each kind that are read */

/* A .chain file of make_certificate_vectors.py; the views point into it. */
struct chain_file {
	struct chain chain;
	enum chain_purpose purpose;
	struct bytes intermediates[CHAIN_FILE_MAX];
	struct bytes anchors[CHAIN_FILE_MAX];
};

static inline bool
chain_file_certificate(struct reader *r, struct bytes *out)
{
	uint16_t n;

	return reader_u16(r, &n) && reader_bytes(r, n, out);
}

static inline bool
chain_file_parse(struct bytes in, struct chain_file *out)
{
	uint8_t purpose, intermediates, anchors;
	struct reader r = {in};

	*out = (struct chain_file){0};
	if (!reader_u8(&r, &purpose) || !reader_u64(&r, &out->chain.time) ||
	    !reader_u8(&r, &intermediates) || !reader_u8(&r, &anchors) ||
	    purpose < CHAIN_CODE_SIGNING || purpose > CHAIN_TIME_STAMPING ||
	    intermediates > CHAIN_FILE_MAX || anchors > CHAIN_FILE_MAX ||
	    !chain_file_certificate(&r, &out->chain.leaf))
		return false;
	for (size_t i = 0; i < intermediates; i++)
		if (!chain_file_certificate(&r, &out->intermediates[i]))
			return false;
	for (size_t i = 0; i < anchors; i++)
		if (!chain_file_certificate(&r, &out->anchors[i]))
			return false;
	out->purpose = (enum chain_purpose)purpose;
	out->chain.intermediate_count = intermediates;
	out->chain.intermediates = out->intermediates;
	out->chain.anchor_count = anchors;
	out->chain.anchors = out->anchors;
	return reader_done(&r);
}

#endif
