/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_FORK_H
#define MTLOG_CLIENT_LIB_FORK_H

#include "client/lib/log_client.h"

/*
 * The log with `key` signed both notes. Where their sizes differ `other` is what
 * it says of the smaller size in the larger tree; NULL: it says nothing.
 */
struct fork {
	const struct vkey *key;
	struct bytes smaller, larger;
	const struct log_connection *other;
};

/* fork_said appends evidence (core/tlog/evidence.h) that the log forked by its
 * own words; nothing where they would convince nobody. ERR_INTERNAL. */
bool fork_said(const struct fork *f, struct buf *out, struct error *err)
    MUST_USE;

/*
 * fork_write keeps evidence in `folder`, as fork-<16 hex digits of its
 * SHA-256>.evidence; `*path` is malloc'd, NULL if it fails. ERR_INTERNAL,
 * ERR_IO.
 */
bool fork_write(const char *folder, struct bytes evidence, char **path,
    struct error *err) MUST_USE;

#endif
