/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_BASE_JSON_H
#define MTLOG_CORE_BASE_JSON_H

#include <jansson.h>

#include "core/base/buf.h"
#include "core/base/cleanup.h"
#include "core/base/error.h"

CLEANUP_PTR(json_t, json_decref);

#define JSON_MAX_DEPTH 16

/*
 * json_parse reads one JSON value (RFC 8259) of at most `limit` bytes:
 * duplicate keys, trailing data, NUL characters in strings, invalid UTF-8 and
 * nesting over JSON_MAX_DEPTH are ERR_SYNTAX, size ERR_LIMIT. The caller owns
 * `*out` (json_decref, or AUTO_PTR).
 */
bool json_parse(struct bytes in, size_t limit, json_t **out, struct error *err)
    MUST_USE;

/* json_decimal reads a string of decimal digits, which is how 64-bit numbers
 * travel, as decimal_parse does; false for any other value, NULL too. */
bool json_decimal(const json_t *value, uint64_t *out) MUST_USE;

/* json_put_string appends `text` (valid UTF-8) as a quoted JSON string. */
void json_put_string(struct buf *out, struct bytes text);

/* json_text views a JSON string's UTF-8; valid while `value` lives. */
static inline struct bytes
json_text(const json_t *value)
{
	return bytes_of(json_string_value(value), json_string_length(value));
}

#endif
