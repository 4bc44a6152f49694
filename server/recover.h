/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_RECOVER_H
#define MTLOG_SERVER_RECOVER_H

#include "server/head.h"
#include "server/lookup.h"
#include "server/signer.h"
#include "server/tree.h"

/* What the start found when it held the database against the guard. */
enum recover_case {
	RECOVER_EQUAL,	  /* the same head */
	RECOVER_FORWARD,  /* entries after the head, all sound: sign them */
	RECOVER_CUT_TAIL, /* entries after the head, unsound: dropped */
	RECOVER_LATCH,	  /* doubt: reads only */
};

struct recover_parts {
	const struct store_backend *backend;
	struct store *store;
	struct tree *tree;
	struct signer *signer;
	const struct signer_hello *hello;
	struct index_file *index;
	struct lookup *lookup;
	/*
	 * Asked before anything is signed, with the guard's head, whose tree is
	 * loaded; NULL: nobody is asked. ERR_UNAVAILABLE: no answer yet, so that
	 * nothing may be signed now; other errors are doubt.
	 */
	bool (*ask)(void *arg, struct head *head, struct error *err);
	void *arg;
};

struct recovered {
	enum recover_case found;
	bool
	    unsettled; /* no space to make everything durable: to be done before
			  the first write (RECOVER_EQUAL), or at a restart */
	bool unasked;  /* entries wait to be signed until `ask` says yes: start
			 again then (RECOVER_LATCH) */
	uint64_t dropped;   /* entries of a cut tail */
	struct head *head;  /* to publish; NULL if nothing can be served */
	char sentence[300]; /* what happened, for the log */
};

/*
 * recover_log compares database and guard (the table in server/recover.c),
 * loads the tree, mends what can be mended and signs what has to be signed.
 * False only when the process cannot go on at all (ERR_IO …); doubt is the
 * case RECOVER_LATCH, with the guard's head to serve if the database holds it.
 */
bool recover_log(const struct recover_parts *p, struct recovered *out,
    struct error *err) MUST_USE;

/*
 * recover_index brings the look-up up to `head`: the index's marker is checked
 * against the tree (else everything is rebuilt), the entries after it go into
 * the tail, and into the file when they are many.
 */
bool recover_index(const struct recover_parts *p, const struct head *head,
    struct error *err) MUST_USE;

#endif
