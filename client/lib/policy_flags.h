/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_POLICY_FLAGS_H
#define MTLOG_CLIENT_LIB_POLICY_FLAGS_H

#include "core/policy/policy.h"

/* What flags say in place of a policy file. NULL-ended lists; NULL: none. */
struct policy_flags {
	const char *key;	/* PEM of a public key */
	const char *const *cas; /* PEM of trust anchors */
	const char *identity;	/* "<type>:<value>", or a bare URI or e-mail */
	const char *issuer;
	bool sigstore; /* identity and issuer, by a trusted root */
	bool any_identity;
	const char *const *logs; /* vkeys, or files with one */
	bool logged;
	bool unsigned_ignored;
};

/* policy_of_flags makes a policy of one rule for every name. ERR_USAGE for
 * flags that do not belong together; file_read's errors. Release. */
bool policy_of_flags(const struct policy_flags *f, struct policy *out,
    struct error *err) MUST_USE;

/* log_key_read fills `out` from a vkey, or from a file that holds one (a word
 * without '+' is a file name). ERR_USAGE, file_read's errors. */
bool log_key_read(const char *word, struct vkey *out, struct error *err)
    MUST_USE;

#endif
