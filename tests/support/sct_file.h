/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SUPPORT_SCT_FILE_H
#define MTLOG_TESTS_SUPPORT_SCT_FILE_H

#include "core/base/cleanup.h"
#include "core/base/reader.h"
#include "core/identity/sct.h"

/*
 * sct_file_verify reads a .sct file of make_sigstore_vectors.py and verifies
 * the certificate's timestamps. `*readable` is false where the file itself is
 * not as it should be.
 */
static inline bool
sct_file_verify(
    struct bytes in, struct key_verifier *v, bool *readable, struct error *err)
{
	AUTO(trust_root) root = {0};
	struct certificate leaf, issuer;
	struct error ignored = {0};
	struct bytes a, b;
	struct reader r = {in};
	uint16_t n;

	*readable = reader_u16(&r, &n) && reader_bytes(&r, n, &a) &&
	    reader_u16(&r, &n) && reader_bytes(&r, n, &b) &&
	    certificate_parse(a, &leaf, &ignored) &&
	    certificate_parse(b, &issuer, &ignored) &&
	    trust_root_parse(r.rest, &root, &ignored);
	return *readable &&
	    sct_verify(&leaf, issuer.key.spki, root.ct_log_count, root.ct_logs,
		v, err);
}

#endif
