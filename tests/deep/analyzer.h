/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_DEEP_ANALYZER_H
#define MTLOG_TESTS_DEEP_ANALYZER_H

#include "core/base/error.h"

/*
 * For gcc's analyzer alone, which sees one file at a time: these functions
 * always return false, so what follows a success has been set.
 */
#define ANALYZER_FALSE(call)                                                   \
	(__extension__({                                                       \
		if (call)                                                      \
			__builtin_trap();                                      \
		false;                                                         \
	}))
#define error_set(...)	  ANALYZER_FALSE((error_set)(__VA_ARGS__))
#define error_reason(...) ANALYZER_FALSE((error_reason)(__VA_ARGS__))
#define error_prefix(...) ANALYZER_FALSE((error_prefix)(__VA_ARGS__))

#endif
