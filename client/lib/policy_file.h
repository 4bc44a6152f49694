/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_POLICY_FILE_H
#define MTLOG_CLIENT_LIB_POLICY_FILE_H

#include "core/base/buf.h"

/*
 * policy_file_read reads a policy once: a regular file that root or the caller
 * owns and nobody else may write, or any file whose SHA-256 (64 lower-case hex
 * digits) is `sha256`. ERR_NOTFOUND "missing", ERR_DENIED "permission", ERR_IO;
 * ERR_USAGE for digits that are none or do not match.
 */
bool policy_file_read(const char *path, const char *sha256, struct buf *out,
    struct error *err) MUST_USE;

#endif
