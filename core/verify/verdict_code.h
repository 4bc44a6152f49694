/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_VERIFY_VERDICT_CODE_H
#define MTLOG_CORE_VERIFY_VERDICT_CODE_H

#include "core/base/error.h"

/*
 * What to do next, in tens (mtlog help exit-codes): a verdict's code, and the
 * exit code of the command.
 */
enum verdict_code {
	VERDICT_ACCEPTED = 0,
	VERDICT_INTERNAL = 1, /* and until proven otherwise */
	VERDICT_USAGE = 2,
	VERDICT_CONTENT_MISMATCH = 10,
	VERDICT_BAD_SIGNATURE = 11,
	VERDICT_NO_USABLE_SIGNATURE = 12,
	VERDICT_NOT_ALLOWED = 13,
	VERDICT_BAD_TIME_OR_CHAIN = 14,
	VERDICT_NOT_LOGGED = 15,
	VERDICT_UNTRUSTED_CHECKPOINT = 16,
	VERDICT_NOT_CURRENT = 17,
	VERDICT_LOG_FORK = 20,
	VERDICT_LOG_BAD_DATA = 21,
	VERDICT_WATCH_HIT = 22,
	VERDICT_LOG_STALLED = 23,
	VERDICT_NETWORK = 30,
	VERDICT_THROTTLED = 31,
	VERDICT_SERVER_ERROR = 32,
	VERDICT_NOT_PUBLISHED_YET = 33,
	VERDICT_LOCAL_IO = 40,
	VERDICT_KEY_UNAVAILABLE = 41,
	VERDICT_HOLD_UNAVAILABLE = 42,
	VERDICT_REJECTED = 43,
	VERDICT_CLOCK = 44,
	VERDICT_LOCKED = 45,
};

/*
 * verdict_code_of maps a failure to its code: by its reason, else by its class.
 * This is the one table; verdict_code_name is the name of a code
 * ("content-mismatch"), "unknown" for a number that is none.
 */
enum verdict_code verdict_code_of(const struct error *err);
const char *verdict_code_name(int code);

/* verdict_reason_at walks the table for help texts: false at its end. */
bool verdict_reason_at(size_t i, const char **reason, int *code);

/* verdict_worse picks the code to exit with of two: internal and usage before
 * all, then 2x > 1x > 4x > 3x > 0. */
int verdict_worse(int a, int b);

#endif
