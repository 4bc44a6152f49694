/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_TLOG_QUORUM_H
#define MTLOG_CORE_TLOG_QUORUM_H

#include "core/base/reader.h"
#include "core/tlog/cosignature.h"
#include "core/tlog/tlog_proof.h"

#define QUORUM_MAX_LEN	     (1024 * 1024)
#define QUORUM_LINE_MAX	     65536
#define QUORUM_NAME_MAX	     255
#define QUORUM_MAX_LOGS	     64
#define QUORUM_MAX_WITNESSES 64 /* sets of witnesses are bits of a uint64_t */
#define QUORUM_MAX_GROUPS    64

/* What the quorum line, or a membership, points at. */
enum quorum_kind { QUORUM_NONE = 0, QUORUM_WITNESS, QUORUM_GROUP };

struct quorum_log {
	struct vkey key; /* its name is the origin */
	struct bytes url;
};

struct quorum_witness {
	struct bytes name;
	struct vkey key; /* type 04 or 06 */
	struct bytes url;
	size_t group; /* the one that it is in; QUORUM_MAX_GROUPS: none */
};

struct quorum_group {
	struct bytes name;
	unsigned needed;  /* of its members, */
	unsigned members; /* which are those that point here, */
	size_t group;	  /* as this one may point at a later one */
};

/*
 * Which logs are accepted, and whose cosignatures they need
 * (c2sp.org/tlog-policy). Lines of items with spaces and tabs between them:
 *
 *	log <vkey> [<url>]
 *	witness <name> <vkey> [<url>]
 *	group <name> all|any|<k> <member>...
 *	quorum <name>|none              exactly once
 *
 * Empty lines and those whose first item starts with # say nothing. Witnesses
 * and groups share their names; a line names earlier ones only, and each at
 * most once as a member, so the groups are a forest whose roots come last. As
 * policies in the wild have it, a witness may have a vkey of type 01, which
 * becomes 04, and a key may be 64 hex digits (Sigsum): a witness of that name,
 * or the log "sigsum.org/v1/tree/<SHA-256 of the key>".
 *
 * Names and URLs borrow from the lines that were read. 220 kB: not for stacks
 * of threads. `{0}` is a policy without lines, which accepts nothing.
 */
struct quorum {
	size_t log_count;
	size_t witness_count;
	size_t group_count;
	bool decided; /* there was a quorum line */
	enum quorum_kind kind;
	size_t index; /* of the witness or group that the quorum is */
	struct quorum_log logs[QUORUM_MAX_LOGS];
	struct quorum_witness witnesses[QUORUM_MAX_WITNESSES];
	struct quorum_group groups[QUORUM_MAX_GROUPS];
};

/* quorum_init makes `q` a policy without lines, as `{0}` does, but leaves alone
 * what no count covers: most of it, which need not become memory. */
void quorum_init(struct quorum *q);

/* quorum_keyword tells whether a line whose first item is `item` is ours. */
bool quorum_keyword(struct bytes item) MUST_USE;

/*
 * quorum_item takes the next item of a line; false at its end. For those whose
 * lines stand in the same file.
 */
bool quorum_item(struct reader *line, struct bytes *out) MUST_USE;

/*
 * quorum_line reads one line (no newline in it) whose first item is a
 * quorum_keyword, and adds it to `q`, which borrows from it. ERR_SYNTAX;
 * ERR_LIMIT; ERR_CONFLICT for a name or key that is there already. A `q` that
 * a line failed for is of no use any more.
 */
bool quorum_line(struct quorum *q, struct bytes line, struct error *err)
    MUST_USE;

/* quorum_complete wants the quorum line to have been there. ERR_SYNTAX. */
bool quorum_complete(const struct quorum *q, struct error *err) MUST_USE;

/*
 * quorum_parse reads a whole file of such lines, and nothing else in it. Errors
 * name the line. `out` borrows from `text`.
 */
bool quorum_parse(struct bytes text, struct quorum *out, struct error *err)
    MUST_USE;

/* quorum_format appends the policy in its plainest form: logs, witnesses,
 * groups, quorum, with vkeys and one space. */
void quorum_format(const struct quorum *q, struct buf *out);

/* quorum_met tells whether this set of witnesses (bit i: number i) suffices. */
bool quorum_met(const struct quorum *q, uint64_t witnesses) MUST_USE;

/* What a checkpoint shows. */
struct quorum_result {
	struct checkpoint head; /* borrows from the note's input */
	size_t log;		/* which of the logs signed it */
	uint64_t cosigned;	/* bit i: witness i did, validly */
	uint64_t unchecked;	/* bit i: it did, but OpenSSL lacks ML-DSA */
	struct cosignature_times times[QUORUM_MAX_WITNESSES];
	/*
	 * Existed by: the earliest T at which the cosignatures dated <= T meet
	 * the quorum. Fresh since: the latest T at which those dated >= T do.
	 * Not dated: the quorum is none, and both are 0.
	 */
	bool dated;
	uint64_t existed_by;
	uint64_t fresh_since;
};

/*
 * quorum_verify judges a checkpoint's note, in this order: its origin is a
 * log's (else ERR_DENIED, reason "unknown-log"); that log signed it, and no
 * signature by a known key is wrong (ERR_BADSIG, reason "log-signature" or
 * "cosignature"); the quorum is met (ERR_DENIED, reason "quorum", or
 * ERR_UNAVAILABLE where witnesses that could not be checked might complete
 * it). ERR_SYNTAX for a note that is no checkpoint. With an error of the reason
 * "quorum" all of `*out` but the dates is filled; with others nothing is.
 */
bool quorum_verify(const struct quorum *q, const struct note *n,
    struct key_verifier *verifier, struct quorum_result *out, struct error *err)
    MUST_USE;

/* quorum_verify_proof is quorum_verify of a proof's checkpoint, and then the
 * inclusion of the leaf hash (ERR_BADSIG, reason "inclusion"). */
bool quorum_verify_proof(const struct quorum *q, const struct tlog_proof *p,
    const struct hash *leaf, struct hasher *h, struct key_verifier *verifier,
    struct quorum_result *out, struct error *err) MUST_USE;

#endif
