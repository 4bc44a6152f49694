/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_RULES_H
#define MTLOG_SERVER_RULES_H

#include "core/identity/x509_chain.h"
#include "core/model/entry.h"
#include "server/config.h"

/*
 * Whose new entries are taken (mtlogd.conf(5): admit and the keys after it).
 * One rule that fits is enough: the signer's key is listed; its certificate
 * has a listed name and ends in the root that belongs to it, now; or the
 * submitter shows a token, the model's name is one that the token is for, and
 * the token has not been used up today. Known entries are answered without
 * asking. Thread-safe.
 */
struct rules;

/* rules_open reads the files that the configuration names: before the sandbox.
 * NULL with `err`. rules_close is NULL-safe. */
struct rules *rules_open(const struct config *c, struct error *err) MUST_USE;
void rules_close(struct rules *r);

/* rules_anyone: there is nothing to ask. */
bool rules_anyone(const struct rules *r);

/* What is to be decided. */
struct rules_asked {
	const struct entry *entry;
	size_t intermediate_count; /* certificates that came along */
	const struct bytes *intermediates;
	struct bytes name;	    /* of the model; empty: it was not said */
	struct bytes authorization; /* that header; empty: none */
	uint64_t now;		    /* POSIX seconds */
	size_t used;		    /* set: the token that was charged, or 0 */
};

/*
 * rules_admit decides, and charges the token that it admits by. ERR_DENIED;
 * reasons "not-admitted" (403), "token-missing", "token-unknown" (401),
 * "token-name" (403), "token-quota" (429).
 */
bool rules_admit(struct rules *r, struct hasher *h, struct rules_asked *asked,
    struct error *err) MUST_USE;

/* rules_give_back: what was admitted did not become an entry after all. */
void rules_give_back(struct rules *r, const struct rules_asked *asked);

#endif
