/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_FORMAT_SAFETENSORS_H
#define MTLOG_CORE_FORMAT_SAFETENSORS_H

#include "core/base/arena.h"

#define SAFETENSORS_PREFIX_LEN 8	 /* bytes before the header */
#define SAFETENSORS_HEADER_MAX 100000000 /* bytes of JSON */
#define SAFETENSORS_RANK_MAX   64

struct safetensors_tensor {
	struct bytes name;
	const char *dtype; /* the word of the header: "F32" */
	size_t rank;
	const uint64_t *shape;
	uint64_t begin, end; /* of its bytes, counted from `data` */
};

struct safetensors_metadata {
	struct bytes key, value;
};

/*
 * What a safetensors file says about itself
 * (github.com/huggingface/safetensors, "Format"):
 *
 *	u64 little-endian: length of the header
 *	{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],
 *	"data_offsets":[0,24]}}            and spaces, if any
 *	the tensors' bytes
 *
 * One strict reading: the header begins with its brace; a tensor has exactly
 * these three members; numbers are plain decimals; nothing stands twice; the
 * tensors' ranges are as long as dtype and shape say, and cover the rest of the
 * file without hole or overlap. Strings are UTF-8, from whoever wrote the file.
 * Borrows from the header where a string needs no unescaping.
 */
struct safetensors {
	uint64_t data; /* where in the file the tensors' bytes begin */
	size_t count;
	struct safetensors_tensor *tensors; /* by name, bytewise; malloc'd */
	size_t metadata_count;
	struct safetensors_metadata *metadata; /* by key; malloc'd */
	struct arena storage;
};

/*
 * safetensors_head_len tells how many bytes of a file of `file_size` bytes
 * safetensors_parse needs, from its first SAFETENSORS_PREFIX_LEN. ERR_SYNTAX,
 * ERR_LIMIT, reason "malformed-safetensors".
 */
bool safetensors_head_len(struct bytes prefix, uint64_t file_size, size_t *out,
    struct error *err) MUST_USE;

/*
 * safetensors_parse reads the head of a file of `file_size` bytes: so many
 * bytes as safetensors_head_len says, or more, which are not looked at. Errors
 * as there, ERR_INTERNAL without memory; after a failure `*out` is released.
 */
bool safetensors_parse(struct bytes head, uint64_t file_size,
    struct safetensors *out, struct error *err) MUST_USE;
void safetensors_release(struct safetensors *s);

#endif
