/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_FORK_H
#define MTLOG_CLIENT_LIB_FORK_H

#include "client/lib/log_client.h"

/*
 * fork_keep writes evidence of a fork (core/tlog/evidence.h) into `folder`, as
 * fork-<16 hex digits of its SHA-256>.evidence: the log with `key` signed
 * both notes. Where their sizes differ `other` is what it says of the smaller
 * size in the larger tree; NULL: it says nothing. What would convince nobody is
 * not written: `*path` is then NULL, else malloc'd. ERR_INTERNAL; ERR_IO.
 */
struct fork {
	const char *folder;
	const struct vkey *key;
	struct bytes smaller, larger;
	const struct log_connection *other;
};

bool fork_keep(const struct fork *f, char **path, struct error *err) MUST_USE;

#endif
