/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_TENSORS_H
#define MTLOG_CLIENT_CLI_TENSORS_H

#include "core/base/buf.h"

/* A safetensors file that is open for reading. */
struct tensor_file {
	int fd;
	uint64_t size; /* bytes */
};

/*
 * tensors_diff appends which tensors (dtype, shape, SHA-256 of their bytes) and
 * which metadata two safetensors files differ in: indented lines for a person,
 * or the members "tensors" and "metadata" of a JSON object. A file that is not
 * well formed is no failure: it is said, as "unreadable" in JSON. ERR_IO,
 * ERR_INTERNAL.
 */
bool tensors_diff(const struct tensor_file *before,
    const struct tensor_file *after, bool json, struct buf *out,
    struct error *err) MUST_USE;

#endif
