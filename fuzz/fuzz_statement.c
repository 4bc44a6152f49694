/* SPDX-License-Identifier: Apache-2.0 */
/* Input: the payload of an envelope, an in-toto statement. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/model/statement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
check(const struct statement *s)
{
	must(s->kind >= STATEMENT_MODEL && s->kind <= STATEMENT_STATUS);
	must(s->subject_count > 0 || s->kind == STATEMENT_STATUS);
	must(s->subject_count == 1 || s->kind == STATEMENT_MODEL_V02 ||
	    s->kind == STATEMENT_WITHDRAWAL || s->kind == STATEMENT_STATUS);
	for (size_t i = 0; i < s->subject_count; i++)
		must(s->subjects[i].name.len > 0 &&
		    utf8_valid(s->subjects[i].name));
	must(s->version.len == 0 ||
	    (s->kind == STATEMENT_MODEL && model_version_valid(s->version)));
	must(s->role.len <= STATEMENT_TEXT_MAX);
	must(s->comment.len <= STATEMENT_TEXT_MAX);
	must(s->withdrawn_count <= STATEMENT_STATUS_LISTED);
	must(s->revoked_count <= STATEMENT_STATUS_LISTED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Escapes in the JSON that is written can make it longer. */
	AUTO(buf) first = BUF_INIT(STATEMENT_SIDE_MAX);
	AUTO(buf) second = BUF_INIT(STATEMENT_SIDE_MAX);
	AUTO(statement) s = {0};
	AUTO(statement) again = {0};
	struct error err = {0};

	if (!statement_parse(bytes_of(data, size), &s, &err)) {
		must(err.code == ERR_DENIED
			? strcmp(err.reason, "wrong-statement-type") == 0
			: (err.code == ERR_SYNTAX || err.code == ERR_LIMIT) &&
			    strcmp(err.reason, "malformed-statement") == 0);
		return 0;
	}
	check(&s);
	statement_format(&s, &first);
	/* Of the second one, what it says about its subjects is not written. */
	if (first.failed || s.kind == STATEMENT_MODEL_V02)
		return 0;
	must(statement_parse(buf_bytes(&first), &again, &err));
	must(again.kind == s.kind && again.subject_count == s.subject_count);
	for (size_t i = 0; i < s.subject_count; i++)
		must(bytes_equal(s.subjects[i].name, again.subjects[i].name) &&
		    hash_equal(
			&s.subjects[i].digest, &again.subjects[i].digest));
	must(bytes_equal(again.version, s.version));
	must(bytes_equal(again.role, s.role));
	must(bytes_equal(again.comment, s.comment));
	must(bytes_equal(again.reason, s.reason));
	must(bytes_equal(again.log, s.log));
	must(again.tree_size == s.tree_size && again.checked == s.checked);
	must(again.withdrawn_count == s.withdrawn_count);
	must(again.revoked_count == s.revoked_count);
	statement_format(&again, &second);
	must(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	return 0;
}
