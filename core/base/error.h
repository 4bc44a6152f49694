/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_BASE_ERROR_H
#define MTLOG_CORE_BASE_ERROR_H

#include <stdarg.h>

#include "core/base/bytes.h"

/*
 * Classes of failure. Malformed (SYNTAX), forged (BADSIG) and forbidden
 * (DENIED) are never mixed, and none of them means "not there" (NOTFOUND).
 * Two tables map a class: to an HTTP status (server/api/reply.c) and to an
 * exit code (client/cli/main.c).
 */
enum error_code {
	ERR_NONE = 0,
	ERR_USAGE,	 /* the caller asked for something senseless */
	ERR_LIMIT,	 /* larger than a stated limit */
	ERR_SYNTAX,	 /* malformed input */
	ERR_BADSIG,	 /* a signature or proof does not verify: forged */
	ERR_DENIED,	 /* well formed and genuine, but not permitted */
	ERR_NOTFOUND,	 /* known not to exist */
	ERR_CONFLICT,	 /* contradicts what is already there */
	ERR_UNAVAILABLE, /* not now: try again */
	ERR_IO,		 /* the operating system or a file failed */
	ERR_INTERNAL,	 /* a defect or exhausted memory */
};

#define ERROR_TEXT_MAX 400

/*
 * What went wrong. `reason` is a stable name in lower-case-with-hyphens (a
 * string literal, may be NULL: then the class name serves); `text` one
 * sentence for a person, NUL-terminated UTF-8. `{0}` means no error.
 */
struct error {
	enum error_code code;
	const char *reason;
	char text[ERROR_TEXT_MAX];
};

/*
 * error_set records a failure and returns false, so that a function ends with
 * `return error_set(err, ERR_SYNTAX, "size has a leading zero");`.
 * The first failure wins: on an `err` already set nothing changes.
 */
bool error_set(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* error_reason is error_set with a stable reason name (a string literal). */
bool error_reason(struct error *err, enum error_code code, const char *reason,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* error_text is vsnprintf into `size` bytes, cut between two characters. */
void error_text(char *out, size_t size, const char *format, va_list ap)
    __attribute__((format(printf, 3, 0)));

/*
 * error_prefix puts "prefix: " before the text of an error already set and
 * returns false; the text is cut where it would not fit.
 */
bool error_prefix(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* error_code_name is the class as a word: "usage", "limit", "syntax" … */
const char *error_code_name(enum error_code code);

/* error_reason_name is err->reason, or the class's name where there is none. */
const char *error_reason_name(const struct error *err);

#endif
