/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_STORE_DURABLE_H
#define MTLOG_SERVER_STORE_DURABLE_H

#include "core/base/error.h"

/* durable_path is "dir/name" as a malloc'd string; NULL without memory. */
char *durable_path(const char *dir, const char *name);

/*
 * durable_sync_dir makes the entries of folder `dir` durable: files made,
 * renamed or removed in it. ERR_IO when it cannot promise that.
 */
bool durable_sync_dir(const char *dir, struct error *err) MUST_USE;

#endif
