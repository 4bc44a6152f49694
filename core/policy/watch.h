/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_POLICY_WATCH_H
#define MTLOG_CORE_POLICY_WATCH_H

#include "core/base/arena.h"
#include "core/identity/certificate.h"
#include "core/model/manifest.h"
#include "core/model/statement.h"

#define WATCH_MAX_LEN	 (1024 * 1024)
#define WATCH_LINE_MAX	 8192
#define WATCH_MAX_RULES	 1024
#define WATCH_MAX_EXCEPT 64

enum watch_kind {
	WATCH_MODEL = 1, /* the name of a model that a statement is about */
	WATCH_SIGNER,	 /* a key, in a certificate or not */
	WATCH_IDENTITY,	 /* a name in a certificate */
	WATCH_DIGEST,	 /* of a file, a model, a statement or an entry */
	WATCH_OPAQUE,	 /* entries whose statement cannot be read */
};

/* What a statement is for, as bits: only those of statement_kind that are
 * asked for. WATCH_OTHER is what cannot be read. */
#define WATCH_OTHER	 (1u << 7)
#define WATCH_STATEMENTS 0xffu

/* A line of the file. What a kind does not have is zero. */
struct watch_rule {
	enum watch_kind kind;
	struct bytes pattern; /* "name", "prefix/<star>" or "<star>" */
	enum certificate_name_kind name_kind; /* WATCH_IDENTITY */
	struct hash key;		      /* WATCH_SIGNER: of the SPKI */
	struct bytes digest_name;	      /* WATCH_DIGEST: "sha256" … */
	struct bytes digest;		      /* raw, 32, 48 or 64 bytes */
	unsigned statements;		      /* bits */
	size_t except_count;
	struct hash *except; /* keys whose entries are expected */
	unsigned line;
};

/*
 * What a monitor reports of a log's new entries. Lines of items with spaces and
 * tabs between them; empty lines and those whose first item starts with # say
 * nothing:
 *
 *	model <pattern>			of any statement about such a model
 *	signer sha256:<64 hex>		by this key, and revocations of it
 *	identity <type>:<pattern>	type: email uri dns other
 *	digest <name>:<hex>		name: sha256 sha384 sha512 blake2b blake3
 *	opaque				what cannot be read
 *
 * and behind each `only <kind>...` (model approval withdrawal key-revocation
 * status other) and `except sha256:<64 hex>...`, in this order. A pattern is
 * anchored: all of a name, `prefix/<star>` for everything below `prefix/`, or a
 * lone star. It owns what it says. `{0}` is one without rules.
 */
struct watch {
	size_t rule_count;
	struct watch_rule *rules;
	struct arena storage;
};

/*
 * watch_parse reads a whole file, with at least one rule. ERR_SYNTAX,
 * ERR_CONFLICT (a rule twice) or ERR_LIMIT, and the sentence begins with
 * "line N, column M: ". After a failure `*out` is empty. Release with
 * watch_release.
 */
bool watch_parse(struct bytes text, struct watch *out, struct error *err)
    MUST_USE;
void watch_release(struct watch *w);

/* watch_format appends the rules in their plainest form, one a line;
 * watch_rule_put one of them without the newline. That is a rule's name:
 * it stays the same when lines move. */
void watch_format(const struct watch *w, struct buf *out);
void watch_rule_put(const struct watch_rule *r, struct buf *out);

/* What is known of an entry. Borrows. */
struct watch_entry {
	struct hash key;      /* of the SPKI */
	bool signature_valid; /* over the entry's digest, with that key */
	size_t name_count;
	const struct certificate_name *names; /* of its certificate */
	struct bytes digest;		      /* raw: what was signed */
	const struct hash *s; /* the statement's S; NULL: not known */
	const struct statement *statement; /* NULL: it cannot be read */
	const struct manifest *manifest;   /* of a model's; or NULL */
};

/* watch_match tells whether an entry is one that the rule reports. An entry of
 * an excepted key is not, if the key really signed it. */
bool watch_match(const struct watch_rule *r, const struct watch_entry *e);

/* watch_reads tells whether a rule looks at statements: whether each entry's
 * must be read, not only those of the signers that are watched. */
bool watch_reads(const struct watch *w);

/* watch_pattern_match: whether all of `name` is what an anchored pattern says.
 * An alarm, so bytes are compared whatever they are. */
bool watch_pattern_match(struct bytes pattern, struct bytes name);

#endif
