/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_POLICY_H
#define MTLOG_SERVER_WITNESS_POLICY_H

#include "core/tlog/quorum.h"
#include "server/config.h"

/* One witness that is asked. */
struct witness {
	size_t number;		/* in the policy */
	char *name;		/* the policy's word for it */
	const struct vkey *key; /* in the policy */
	char *add_url;		/* …/add-checkpoint */
	char *checkpoint_url;	/* where it shows what it has of this log */
	uint64_t interval_ns;	/* least time between two requests */
	unsigned timeout_ms;	/* of a request */
};

/* Who is asked, and who suffices. */
struct witness_policy {
	struct buf text;
	struct quorum *quorum; /* borrows from `text` */
	size_t count;
	struct witness *witnesses;
};

/*
 * witness_policy_read reads the configuration's witness-policy, with what its
 * other keys say, for the log with this vkey. Witnesses without a URL or with a
 * key that cannot be checked here are told to `warning` (may be NULL) and are
 * not asked. ERR_USAGE where that leaves no quorum, where the policy has none,
 * where it has logs and none is this one, and for a witness-option of nobody;
 * ERR_NOTFOUND, ERR_SYNTAX … name the file. witness_policy_release in either
 * case.
 */
bool witness_policy_read(const struct config *c, const struct vkey *log,
    void (*warning)(const char *), struct witness_policy *out,
    struct error *err) MUST_USE;
void witness_policy_release(struct witness_policy *p);

/* witness_policy_set is the set of all witnesses that are asked. */
uint64_t witness_policy_set(const struct witness_policy *p);

/*
 * witness_policy_decides tells of a set of witnesses (bits, by their numbers in
 * the policy) whether every quorum has one of them: nothing can have been
 * cosigned that none of these saw.
 */
bool witness_policy_decides(const struct witness_policy *p, uint64_t set);

#endif
