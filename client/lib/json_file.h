/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_JSON_FILE_H
#define MTLOG_CLIENT_LIB_JSON_FILE_H

#include "core/base/json.h"

/*
 * json_file_write replaces `path` by the text of `value`, atomically and
 * durably, readable by its owner alone. jansson leaves out what it had no memory
 * for (2.14, tried), and what such a file forgets is accepted later: so the text
 * is read again first, and must be the value. ERR_LIMIT for more than `limit`
 * bytes, which is what its reader takes; ERR_INTERNAL; file_write's.
 */
bool json_file_write(const char *path, const json_t *value, size_t limit,
    struct error *err) MUST_USE;

#endif
