/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_MODEL_STATEMENT_H
#define MTLOG_CORE_MODEL_STATEMENT_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/crypto/hash.h"

#define STATEMENT_MAX_SUBJECTS	1024
#define STATEMENT_TEXT_MAX	1000 /* bytes of a comment or role */
#define STATEMENT_VERSION_MAX	64
#define STATEMENT_NAME_MAX	255	      /* bytes of a model's name */
#define STATEMENT_SIDE_MAX	(256u * 1024) /* all kinds but models */
#define STATEMENT_STATUS_LISTED 4096	      /* withdrawn or revoked, each */

/* What a signed statement is for; a statement counts for one purpose only. */
enum statement_kind {
	STATEMENT_MODEL = 1, /* https://model_signing/signature/v1.0 */
	STATEMENT_MODEL_V02, /* https://model_signing/Digests/v0.1 */
	STATEMENT_APPROVAL,
	STATEMENT_WITHDRAWAL,
	STATEMENT_REVOCATION,
	STATEMENT_STATUS,
};

struct statement_subject {
	struct bytes name;
	struct hash digest; /* sha256 */
};

/*
 * An in-toto Statement v1 of a kind that we know. What is not said for a kind
 * is zero. All but models have exactly the members that the policy document
 * gives them (schema/PROTOCOL.statements); a model's may have others, which are
 * never used, and a version that is not of our form is not there. Borrows from
 * the payload where a string needs no unescaping, else from `storage`: the
 * payload must outlive it.
 *
 *	{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a/b",
 *	"digest":{"sha256":"…"}}],"predicateType":"https://mtlog/approval/v1",
 *	"predicate":{"role":"security-review","comment":"…"}}
 */
struct statement {
	enum statement_kind kind;
	size_t subject_count; /* a model: 1 */
	struct statement_subject *subjects;
	struct bytes version;	/* model: annotations.version; empty: none */
	struct bytes predicate; /* model: the JSON that manifest_parse reads */
	struct bytes role;	/* approval */
	struct bytes comment;	/* approval, withdrawal */
	struct bytes reason;	/* withdrawal, revocation: a word of its list */
	bool earlier_withdrawn; /* revocation: "earlier":"withdraw" */
	struct bytes log;	/* status: the origin */
	uint64_t tree_size;
	struct hash root;
	uint64_t checked; /* POSIX seconds */
	bool complete;
	size_t withdrawn_count;
	struct hash *withdrawn; /* S */
	size_t revoked_count;
	struct hash *revoked; /* SHA-256 of an SPKI */
	struct arena storage;
};

/*
 * statement_parse reads a payload of type application/vnd.in-toto+json.
 * ERR_SYNTAX or ERR_LIMIT, reason "malformed-statement"; a `_type` or
 * predicateType that is none of ours: ERR_DENIED, "wrong-statement-type". After
 * a failure `*out` is released.
 */
bool statement_parse(
    struct bytes payload, struct statement *out, struct error *err) MUST_USE;
void statement_release(struct statement *s);

/* statement_format appends the payload, deterministic and compact. For a model
 * `predicate` goes in as it is. */
void statement_format(const struct statement *s, struct buf *out);

/* statement_kind_type is the predicateType; statement_kind_find looks it up. */
const char *statement_kind_type(enum statement_kind kind);
bool statement_kind_find(struct bytes type, enum statement_kind *out) MUST_USE;

/*
 * model_name_valid: segments [A-Za-z0-9][A-Za-z0-9._-]* joined by '/', at most
 * 255 bytes. model_version_valid: 1 to 64 of [A-Za-z0-9._+-].
 */
bool model_name_valid(struct bytes name) MUST_USE;
bool model_version_valid(struct bytes version) MUST_USE;

#endif
