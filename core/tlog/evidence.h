/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_TLOG_EVIDENCE_H
#define MTLOG_CORE_TLOG_EVIDENCE_H

#include "core/tlog/checkpoint.h"
#include "core/tlog/proof.h"

#define EVIDENCE_MAX_LEN (2 * NOTE_MAX_LEN + 8192)

/*
 * Evidence that a log forked: two heads that it signed and that contradict each
 * other. The file stands alone: whoever has the log's key can check it, years
 * later, and without the log.
 *
 *	mtlog-evidence/1
 *	# what it is, and how to check it: always the same lines
 *	vkey <the log's, as who wrote it believed>
 *	root <base64 hash>		if the sizes differ
 *	hash <base64 hash>		0 to 63 of them
 *	smaller <bytes>
 *	<signed note>
 *	larger <bytes>
 *	<signed note>
 *
 * Heads of one size contradict each other by their roots. Of two sizes they do
 * if the larger one's tree had another root at the smaller size: that is
 * `root`, and `hash` is the consistency proof (RFC 6962, 2.1.2) from it to the
 * larger head. Only the log itself can make such a file, since both notes are
 * signed by it.
 */
struct evidence {
	struct vkey key;
	struct bytes smaller, larger; /* signed notes */
	bool has_root;
	struct hash root;
	struct proof proof;
};

/* evidence_parse reads exactly what evidence_format writes. `*out` borrows from
 * `text`. ERR_SYNTAX, ERR_LIMIT. */
bool evidence_parse(struct bytes text, struct evidence *out, struct error *err)
    MUST_USE;
void evidence_format(const struct evidence *e, struct buf *out);

/*
 * evidence_verify tells whether the two heads prove that the log with `key`
 * forked; `heads` (may be NULL) are then the smaller and the larger one.
 * ERR_BADSIG if a note is not signed by the log; ERR_DENIED, reason "no-fork",
 * if the heads do not contradict each other, as far as the file shows.
 */
bool evidence_verify(const struct evidence *e, const struct vkey *key,
    struct hasher *h, struct key_verifier *verifier, struct checkpoint heads[2],
    struct error *err) MUST_USE;

/*
 * evidence_make appends evidence made of `pair`, of which key and notes are set:
 * where their sizes differ, root and proof are read from `nodes`, the tree of
 * the larger head. It is verified first; the errors are evidence_verify's and
 * what `nodes` says, and then nothing is appended.
 */
bool evidence_make(const struct evidence *pair, const struct node_reader *nodes,
    struct hasher *h, struct key_verifier *verifier, struct buf *out,
    struct error *err) MUST_USE;

#endif
