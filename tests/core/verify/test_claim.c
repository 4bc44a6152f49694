/* SPDX-License-Identifier: Apache-2.0 */
/* When a signature existed by: tokens, and what witnesses say. The other steps
 * of a claim are verify.c's requirements (changes.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/verify/claim.h"
#include "core/base/cleanup.h"
#include "tests/support/stamp_file.h"
#include "tests/support/vector_file.h"

#define STAMPED UINT64_C(1778137200) /* 2026-05-07T07:00:00Z */
#define DAY	UINT64_C(86400)

static struct policy policy;
static struct policy_ca cas[2 * STAMP_FILE_MAX];

/* A claim whose signature is what the token of a vector is about. */
static void
stamped(const char *name, struct buf *file, struct claim *c)
{
	struct stamp_file stamp;
	char path[VECTOR_PATH_MAX], inside[128];

	(void)snprintf(inside, sizeof(inside), "timestamp/%s.stamp", name);
	if (!vector_read(vector_own(path, inside), file) ||
	    !stamp_file_parse(buf_bytes(file), &stamp))
		fail_msg("%s", path);
	policy = (struct policy){.cas = cas};
	for (size_t i = 0; i < stamp.authority.anchor_count; i++)
		cas[policy.ca_count++].der = stamp.anchors[i];
	/* The policy has nothing between: it trusts those. */
	for (size_t i = 0; i < stamp.authority.intermediate_count; i++)
		cas[policy.ca_count++].der = stamp.intermediates[i];
	*c = (struct claim){0};
	c->bundle.envelope.signature = stamp.message;
	c->bundle.timestamps[0] = stamp.token;
	c->bundle.timestamp_count = 1;
}

static void
test_tokens(void **state)
{
	static const struct {
		const char *name;
		enum error_code code;
		bool timed;
	} cases[] = {
	    {"embedded", ERR_NONE, true},
	    {"all-embedded", ERR_NONE, true},
	    {"middle-is-anchor", ERR_NONE, true},
	    {"sha512", ERR_NONE, true},
	    {"rsa", ERR_NONE, true},
	    /* Of an authority that nobody named: it says nothing. */
	    {"no-middle", ERR_NONE, false},
	    {"sha1-imprint", ERR_NONE, false},
	    {"code-signer", ERR_NONE, false},
	    {"ended", ERR_NONE, false},
	    /* Wrong about these bytes: a forgery. */
	    {"other-message", ERR_BADSIG, false},
	    {"spoiled", ERR_BADSIG, false},
	    {"other-content", ERR_BADSIG, false},
	    {"cut", ERR_SYNTAX, false},
	    {"trailing", ERR_SYNTAX, false},
	    {"empty", ERR_SYNTAX, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) file = BUF_INIT(1u << 20);
		struct judge j = {.policy = &policy, .now = STAMPED + 1};
		struct error err = {0};
		struct claim c;

		stamped(cases[i].name, &file, &c);
		if (claim_times(&j, &c, &err) != (cases[i].code == ERR_NONE) ||
		    err.code != cases[i].code || c.timed != cases[i].timed)
			fail_msg("%s: %s %s", cases[i].name,
			    error_code_name(err.code), err.text);
		if (cases[i].code != ERR_NONE)
			assert_string_equal(err.reason, "timestamp");
		if (c.timed)
			assert_true(c.time == STAMPED);
	}
}

/* The earliest of token and witnesses; and not ahead of the clock. */
static void
test_times(void **state)
{
	AUTO(buf) file = BUF_INIT(1u << 20);
	struct judge j = {.policy = &policy};
	struct error err = {0};
	struct claim c;

	(void)state;
	stamped("embedded", &file, &c);
	c.logged = c.head.dated = true;
	j.now = STAMPED + DAY;
	c.head.existed_by = STAMPED - 5;
	assert_true(claim_times(&j, &c, &err));
	assert_true(c.time == STAMPED - 5);
	c.head.existed_by = STAMPED + 5;
	assert_true(claim_times(&j, &c, &err));
	assert_true(c.time == STAMPED);
	/* Witnesses of a log that is not asked have no say. */
	c.logged = c.timed = false;
	c.head.existed_by = STAMPED - 5;
	assert_true(claim_times(&j, &c, &err));
	assert_true(c.time == STAMPED);
	j.now = STAMPED - CLAIM_CLOCK_SKEW;
	assert_true(claim_times(&j, &c, &err));
	j.now--;
	assert_false(claim_times(&j, &c, &err));
	assert_string_equal(err.reason, "clock");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tokens),
	    cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
