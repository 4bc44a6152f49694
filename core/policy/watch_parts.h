/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_POLICY_WATCH_PARTS_H
#define MTLOG_CORE_POLICY_WATCH_PARTS_H

#include "core/base/buf.h"
#include "core/policy/watch.h"

/* What watch.c and watch_parse.c share; nobody else includes it. */

/* A word of the file and what it stands for; NULL ends a list. */
struct watch_word {
	const char *word;
	unsigned value;
};

extern const struct watch_word watch_kinds[];	   /* enum watch_kind */
extern const struct watch_word watch_statements[]; /* bits */
extern const struct watch_word watch_names[];	   /* certificate_name_kind */
extern const struct watch_word watch_digests[];	   /* bytes */

/* watch_word_of is the word of a value, or "". */
const char *watch_word_of(const struct watch_word *list, unsigned value);

#endif
