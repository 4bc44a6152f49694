/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_RULE_TEXT_H
#define MTLOG_SERVER_RULE_TEXT_H

#include "core/identity/certificate.h"

/*
 * The values of the keys that say whose submissions are taken, as texts:
 *
 *	admit-key = 6b1e…                        SHA-256 of an SPKI, in hex
 *	admit-key = keys/alice.pem
 *	admit-identity = uri:https://ci.example/release roots/corp.pem
 *	admit-identity = email:a@example.org issuer=https://idp.example roots.pem
 *	admit-token = acme/resnet50 1000 tokens/acme
 *
 * A token is for a model's name, for all names below one (a slash and a star
 * behind it), or for everything (a star).
 * Items are separated by single blanks; a path is all the rest. Views borrow
 * from the text. False: it is none of these.
 */

struct rule_key {
	bool is_hash;
	struct hash spki;
	struct bytes path;
};
bool rule_key_parse(struct bytes text, struct rule_key *out) MUST_USE;

struct rule_identity {
	enum certificate_name_kind kind;
	struct bytes value;
	struct bytes issuer; /* empty: not asked for */
	struct bytes path;
};
bool rule_identity_parse(struct bytes text, struct rule_identity *out) MUST_USE;

struct rule_token {
	struct bytes pattern;
	uint64_t per_day; /* new entries, at least 1 */
	struct bytes path;
};
bool rule_token_parse(struct bytes text, struct rule_token *out) MUST_USE;

/*
 * What is different for one witness (witness-option):
 *
 *	witness-option = north interval=10000 timeout=20 monitoring=https://n.example
 *
 * The three stand in this order, each at most once; 0 and empty: not said.
 */
struct rule_witness {
	struct bytes name;
	uint64_t interval_ms; /* 50 to 3,600,000 */
	uint64_t timeout_s;   /* 1 to 60 */
	struct bytes monitoring;
};
bool rule_witness_parse(struct bytes text, struct rule_witness *out) MUST_USE;

/* rule_pattern_matches: compares bytes; an empty name matches * alone. */
bool rule_pattern_matches(struct bytes pattern, struct bytes name) MUST_USE;

/* rule_name_kind finds "email", "uri", "dns" or "other". */
bool rule_name_kind(struct bytes word, enum certificate_name_kind *out)
    MUST_USE;

#endif
