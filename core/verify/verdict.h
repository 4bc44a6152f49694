/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_VERIFY_VERDICT_H
#define MTLOG_CORE_VERIFY_VERDICT_H

#include "core/base/arena.h"
#include "core/crypto/content.h"
#include "core/policy/policy.h"
#include "core/verify/verdict_code.h"

#define VERDICT_MAX_CHECKS 32
#define VERDICT_MAX_NAMES  100 /* of a list of files */
/* Room for three lists of VERDICT_MAX_NAMES names, each byte escaped. */
#define VERDICT_JSON_MAX (8u << 20)

enum verdict_result {
	CHECK_NOT_REACHED = 0,
	CHECK_PASS,
	CHECK_FAIL,
	CHECK_NOT_ASKED,
};

/* One requirement and what became of it. */
struct verdict_check {
	const char *name;
	enum verdict_result result;
	unsigned line;	    /* of the policy; 0: none */
	const char *reason; /* NULL unless it failed */
	char message[ERROR_TEXT_MAX];
};

/* What the caller gave up, as bits. */
enum verdict_weakness {
	WEAK_LOGGED_OFF = 1 << 0,
	WEAK_ANY_IDENTITY = 1 << 1,
	WEAK_ANY_NAME = 1 << 2,
	WEAK_NO_QUORUM = 1 << 3,
	WEAK_UNSIGNED_IGNORED = 1 << 4,
	WEAK_HOLD_OPEN = 1 << 5,
	WEAK_LEGACY_V02 = 1 << 6,
	WEAK_FILES_CHOSEN = 1 << 7,
};

/* A file whose contents are not the signed ones; digests raw. */
struct verdict_change {
	struct bytes name;
	size_t digest_len;
	uint8_t expected[CONTENT_DIGEST_MAX];
	uint8_t actual[CONTENT_DIGEST_MAX];
};

/* What was found on disk; lists hold the first VERDICT_MAX_NAMES. */
struct verdict_files {
	uint64_t listed, checked;
	uint64_t changed_count, missing_count, unsigned_count;
	uint64_t ignored_count; /* unsigned, but under a path to be ignored */
	struct verdict_change changed[VERDICT_MAX_NAMES];
	struct bytes missing[VERDICT_MAX_NAMES];
	struct bytes unsigned_files[VERDICT_MAX_NAMES];
};

/*
 * The answer about one model. Starts as refused (VERDICT_INTERNAL); only the
 * end of verify() sets it to accepted. What was not authenticated is empty: a
 * name under a bad signature, too. Texts live in `storage` or outlive it.
 */
struct verdict {
	enum verdict_code code;
	const char *reason; /* NULL: accepted */
	char message[ERROR_TEXT_MAX];
	struct bytes model;	    /* the path that was asked about */
	struct bytes asked_name;    /* empty: any */
	struct bytes asked_version; /* empty: any */
	struct bytes name, version;
	bool has_statement, has_root;
	struct hash statement; /* S */
	struct hash root;
	struct bytes party;
	const char *signer_kind; /* "key", "cert", or NULL */
	bool has_key;
	struct hash key;	   /* SHA-256 of the SPKI */
	const char *identity_kind; /* "email", "uri" …, or NULL */
	struct bytes identity, issuer;
	struct bytes origin; /* empty: no log was judged */
	uint64_t index, size;
	/* the newest tree head of that log that was believed, with its note */
	uint64_t head_size;
	struct hash head_root;
	struct bytes head_note;
	size_t witness_count;
	struct bytes witnesses[QUORUM_MAX_WITNESSES];
	bool dated;
	uint64_t existed_by, fresh_since;   /* POSIX seconds, 0: not known */
	const char *current_by;		    /* "online", "scan", "status" */
	const char *current_proven;	    /* "shown", "proven", "stated" */
	uint64_t current_size, current_age; /* entries, seconds */
	bool has_policy;
	struct hash policy;
	uint64_t serial, expires; /* 0: none */
	unsigned rule_line;
	struct bytes pattern;
	struct verdict_files files;
	enum hold_strength hold;
	unsigned weakened; /* enum verdict_weakness */
	size_t check_count;
	struct verdict_check checks[VERDICT_MAX_CHECKS];
	struct arena storage;
};

/* verdict_init makes a refusal without a cause yet. Large: allocate it. */
void verdict_init(struct verdict *v);
void verdict_release(struct verdict *v);

/* verdict_refuse records the cause of a refusal; the first one stays. */
void verdict_refuse(struct verdict *v, const struct error *err);

/* verdict_json appends the one-line JSON of schema/json/verdict.schema.json,
 * without a newline. */
void verdict_json(const struct verdict *v, struct buf *out);

/* verdict_text appends what a person reads: one line a requirement, then the
 * verdict; `colour` with terminal colours. */
void verdict_text(const struct verdict *v, bool colour, struct buf *out);

/*
 * escaped_put appends text that came from outside so that a terminal shows it
 * and nothing else happens: control and invalid bytes, and characters that
 * change the direction of text, as \xNN.
 */
void escaped_put(struct buf *out, struct bytes text);

#endif
