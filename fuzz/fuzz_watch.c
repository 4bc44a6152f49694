/* SPDX-License-Identifier: Apache-2.0 */
/* Input: the rules of a monitor. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/policy/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

/* What the formatter writes is the same rules, and stays as it is. */
static void
check_format(const struct watch *w)
{
	AUTO(buf) a = BUF_INIT(4 * WATCH_MAX_LEN);
	AUTO(buf) b = BUF_INIT(4 * WATCH_MAX_LEN);
	struct error err = {0};
	struct watch again;

	watch_format(w, &a);
	must(buf_ok(&a, &err));
	must(watch_parse(buf_bytes(&a), &again, &err));
	must(again.rule_count == w->rule_count);
	watch_format(&again, &b);
	must(bytes_equal(buf_bytes(&a), buf_bytes(&b)));
	watch_release(&again);
}

static void
check_rules(const struct watch *w)
{
	struct watch_entry entry = {.signature_valid = true};

	for (size_t i = 0; i < w->rule_count; i++) {
		const struct watch_rule *r = &w->rules[i];

		must(r->statements > 0 && r->statements <= WATCH_STATEMENTS);
		must(r->line > 0);
		/* A name that is no pattern matches itself. */
		if (r->pattern.len > 0 &&
		    r->pattern.ptr[r->pattern.len - 1] != '*')
			must(watch_pattern_match(r->pattern, r->pattern));
		entry.key = r->key;
		must(watch_match(r, &entry) ==
		    ((r->statements & WATCH_OTHER) != 0 &&
			(r->kind == WATCH_SIGNER || r->kind == WATCH_OPAQUE) &&
			(r->except_count == 0 ||
			    !hash_equal(&r->except[0], &entry.key))));
		for (size_t k = 0; k < r->except_count; k++) {
			entry.key = r->except[k];
			must(!watch_match(r, &entry));
		}
	}
	(void)watch_reads(w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	struct watch w;

	if (!watch_parse(bytes_of(data, size), &w, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT ||
		    err.code == ERR_CONFLICT);
		must(err.text[0] != '\0' && !w.rules);
		return 0;
	}
	check_format(&w);
	check_rules(&w);
	watch_release(&w);
	return 0;
}
