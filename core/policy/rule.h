/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_POLICY_RULE_H
#define MTLOG_CORE_POLICY_RULE_H

#include "core/base/bytes.h"

/* What a policy asks of the models that a pattern matches. */

#define POLICY_MAX_PARTIES   256	     /* names after `signer` */
#define POLICY_MAX_APPROVALS 16		     /* approved-by lines of a rule */
#define POLICY_MAX_FRESH     (3650u * 86400) /* seconds */

/* A set of parties: bit i % 64 of word i / 64 is party i. */
struct party_set {
	uint64_t bits[POLICY_MAX_PARTIES / 64];
};

/* `approved-by`: `needed` distinct parties of the set. */
struct policy_approval {
	unsigned needed;
	struct party_set parties;
	unsigned line;
};

enum policy_fresh {
	FRESH_NOT_ASKED = 0,
	FRESH_ONLINE,
	FRESH_SCAN,
	FRESH_STATUS,
};

/* What a handle must hold, weakest allowed; the order is by strength. */
enum hold_strength {
	HOLD_NONE = 0,
	HOLD_OPEN,
	HOLD_LEASE,
	HOLD_VERITY,
	HOLD_COPY
};

/*
 * A `model` line and those below it. Lines are 0 where nothing was written, and
 * the value is then the default. policy_rule_init makes one with the defaults.
 */
struct policy_rule {
	struct bytes pattern; /* "name", "prefix/<star>" or "<star>" */
	unsigned line;
	struct party_set signed_by; /* any one of them; never empty */
	unsigned signed_by_line;
	size_t approval_count;
	struct policy_approval approvals[POLICY_MAX_APPROVALS];
	struct party_set withdrawn_by; /* in addition to the others */
	unsigned withdrawn_by_line;
	bool logged;
	unsigned logged_line;
	enum policy_fresh fresh;
	uint64_t fresh_seconds;	   /* 3600 to POLICY_MAX_FRESH */
	struct party_set fresh_by; /* FRESH_STATUS: any one of them */
	unsigned fresh_line;
	bool unsigned_ignored;
	unsigned unsigned_line;
	enum hold_strength hold;
	unsigned hold_line;
};

/* party_set_has, party_set_count, party_set_add. */
bool party_set_has(const struct party_set *s, size_t party);
unsigned party_set_count(const struct party_set *s);
void party_set_add(struct party_set *s, size_t party);

/* hold_strength_name is the word; hold_strength_find looks it up. */
const char *hold_strength_name(enum hold_strength hold);
bool hold_strength_find(struct bytes word, enum hold_strength *out) MUST_USE;

#endif
