/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_POLICY_POLICY_PARTS_H
#define MTLOG_CORE_POLICY_POLICY_PARTS_H

#include "core/policy/policy_build.h"
#include "core/policy/policy_explain.h"

/* What the files of this module share; nobody else includes it. */

#define POLICY_NAME_MAX QUORUM_NAME_MAX

/* The text, what is decoded of it, and the lists, each grown by doubling. */
#define POLICY_STORAGE_MAX (8u << 20)

/* policy_clear makes `p` an empty policy that owns nothing; it releases
 * nothing. */
void policy_clear(struct policy *p);

/* What reading a file keeps between its lines. */
struct policy_reader {
	struct policy *policy;
	struct hasher hasher;
	unsigned line;	/* number of this one */
	bool versioned; /* `mtlog-policy 1` was there */
};

/*
 * A reader of one kind of line: `line` begins behind the keyword, which the
 * caller puts before the error's sentence.
 */
typedef bool policy_line_reader(
    struct policy_reader *r, struct reader *line, struct error *err);

policy_line_reader policy_line_version;
policy_line_reader policy_line_serial;
policy_line_reader policy_line_expires;
policy_line_reader policy_line_ca;
policy_line_reader policy_line_signer;
policy_line_reader policy_line_deny;
policy_line_reader policy_line_model;
policy_line_reader policy_line_signed_by;
policy_line_reader policy_line_approved_by;
policy_line_reader policy_line_withdrawn_by;
policy_line_reader policy_line_logged;
policy_line_reader policy_line_fresh;
policy_line_reader policy_line_unsigned;
policy_line_reader policy_line_hold;

/* policy_rules_complete wants `signed-by` in each rule. */
bool policy_rules_complete(const struct policy *p, struct error *err) MUST_USE;

/* policy_origins_known wants each `below` to name a log. */
bool policy_origins_known(const struct policy *p, struct error *err) MUST_USE;

/* policy_item takes the next item, or says that `what` is missing; policy_end
 * wants no more of them. */
bool policy_item(struct reader *line, const char *what, struct bytes *out,
    struct error *err) MUST_USE;
bool policy_end(struct reader *line, struct error *err) MUST_USE;

/* A word of the input as a message may show it: UTF-8, cut. */
struct policy_word {
	char text[64];
};

const char *policy_shown(struct bytes word, struct policy_word *out);

/*
 * policy_grow makes room for one more in a list of `count` members of `size`
 * bytes, and returns the list, which may have moved; NULL with ERR_LIMIT ("more
 * than … <what>") or ERR_INTERNAL. Every list that grows here grows nowhere
 * else: its room follows from its count.
 */
void *policy_grow(struct policy *p, const void *list, size_t count, size_t size,
    struct error *err) MUST_USE;

/* Adding with all conditions, without copies; see policy_build.h. */
bool policy_push_ca(struct policy *p, struct hasher *h,
    const struct policy_ca *ca, struct error *err) MUST_USE;
bool policy_push_credential(struct policy *p, struct hasher *h,
    struct bytes name, const struct policy_credential *c, struct error *err)
    MUST_USE;
bool policy_push_rule(struct policy *p, const struct policy_rule *rule,
    struct error *err) MUST_USE;

#endif
