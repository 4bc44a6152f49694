/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/buf.h"
#include "core/base/cleanup.h"
#include "core/crypto/der.h"

/* One call on one input: what it takes, or that it leaves all alone. */
enum call { ANY, INTEGER, POSITIVE, BITS, OCTETS, OPTIONAL };

static const struct {
	const char *name;
	enum call call;
	struct bytes in;
	bool ok;
	size_t value_len;
	size_t rest;
} cases[] = {
    {"null", ANY, BYTES_LIT("\x05\x00"), true, 0, 0},
    {"then more", ANY, BYTES_LIT("\x04\x01\xaa\x05\x00"), true, 1, 2},
    {"nothing", ANY, {0}, false, 0, 0},
    {"tag alone", ANY, BYTES_LIT("\x04"), false, 0, 0},
    {"short", ANY, BYTES_LIT("\x04\x02\xaa"), false, 0, 0},
    {"high tag", ANY, BYTES_LIT("\x1f\x01\x00"), false, 0, 0},
    {"high tag of a context", ANY, BYTES_LIT("\xbf\x20\x00"), false, 0, 0},
    {"indefinite", ANY, BYTES_LIT("\x30\x80\x00\x00"), false, 0, 0},
    {"long form of 1", ANY, BYTES_LIT("\x04\x81\x01\xaa"), false, 0, 0},
    {"long form of 0", ANY, BYTES_LIT("\x04\x81\x00"), false, 0, 0},
    {"zero first", ANY, BYTES_LIT("\x04\x82\x00\x81\xaa"), false, 0, 0},
    {"length cut", ANY, BYTES_LIT("\x04\x82\x01"), false, 0, 0},
    {"length of 4 bytes", ANY, BYTES_LIT("\x04\x84\x01\x00\x00\x00"), false, 0,
	0},
    {"length of 127 bytes", ANY, BYTES_LIT("\x04\xff\x01"), false, 0, 0},
    {"16 MiB missing", ANY, BYTES_LIT("\x04\x83\xff\xff\xff"), false, 0, 0},

    {"zero", INTEGER, BYTES_LIT("\x02\x01\x00"), true, 1, 0},
    {"127", INTEGER, BYTES_LIT("\x02\x01\x7f"), true, 1, 0},
    {"128", INTEGER, BYTES_LIT("\x02\x02\x00\x80"), true, 2, 0},
    {"-1", INTEGER, BYTES_LIT("\x02\x01\xff"), true, 1, 0},
    {"-129", INTEGER, BYTES_LIT("\x02\x02\xff\x7f"), true, 2, 0},
    {"empty integer", INTEGER, BYTES_LIT("\x02\x00"), false, 0, 0},
    {"padded 1", INTEGER, BYTES_LIT("\x02\x02\x00\x01"), false, 0, 0},
    {"padded 127", INTEGER, BYTES_LIT("\x02\x02\x00\x7f"), false, 0, 0},
    {"padded -1", INTEGER, BYTES_LIT("\x02\x02\xff\xff"), false, 0, 0},
    {"padded -128", INTEGER, BYTES_LIT("\x02\x02\xff\x80"), false, 0, 0},
    {"enumerated", INTEGER, BYTES_LIT("\x0a\x01\x01"), false, 0, 0},

    {"one", POSITIVE, BYTES_LIT("\x02\x01\x01\x99"), true, 1, 1},
    {"255", POSITIVE, BYTES_LIT("\x02\x02\x00\xff"), true, 1, 0},
    {"not zero", POSITIVE, BYTES_LIT("\x02\x01\x00"), false, 0, 0},
    {"not negative", POSITIVE, BYTES_LIT("\x02\x01\x80"), false, 0, 0},
    {"not padded", POSITIVE, BYTES_LIT("\x02\x02\x00\x7f"), false, 0, 0},

    {"bits", BITS, BYTES_LIT("\x03\x03\x00\xaa\xbb"), true, 2, 0},
    {"no bits", BITS, BYTES_LIT("\x03\x01\x00"), true, 0, 0},
    {"unused bits", BITS, BYTES_LIT("\x03\x02\x01\xaa"), false, 0, 0},
    {"no count", BITS, BYTES_LIT("\x03\x00"), false, 0, 0},
    {"constructed bits", BITS, BYTES_LIT("\x23\x02\x00\xaa"), false, 0, 0},

    {"octets", OCTETS, BYTES_LIT("\x04\x02\xaa\xbb"), true, 2, 0},
    {"not octets", OCTETS, BYTES_LIT("\x0c\x02\xaa\xbb"), false, 0, 0},
    {"constructed octets", OCTETS, BYTES_LIT("\x24\x00"), false, 0, 0},

    {"there", OPTIONAL, BYTES_LIT("\x04\x01\xaa\x05"), true, 0, 1},
    {"not there", OPTIONAL, BYTES_LIT("\x05\x00"), true, 0, 2},
    {"at the end", OPTIONAL, {0}, true, 0, 0},
    {"there but short", OPTIONAL, BYTES_LIT("\x04\x02\xaa"), false, 0, 0},
};

static bool
run(enum call call, struct reader *r, struct bytes *value)
{
	struct der_element e;

	switch (call) {
	case ANY:
		if (!der_any(r, &e))
			return false;
		*value = e.value;
		return true;
	case INTEGER:
		return der_integer(r, value);
	case POSITIVE:
		return der_positive(r, value);
	case BITS:
		return der_bit_string(r, value);
	case OCTETS:
		return der_take(r, DER_OCTET_STRING, value);
	case OPTIONAL:
		return der_optional(r, DER_OCTET_STRING);
	}
	return false;
}

static void
test_calls(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reader r = {cases[i].in};
		struct bytes value = {0};

		if (run(cases[i].call, &r, &value) != cases[i].ok)
			fail_msg("%s", cases[i].name);
		if (!cases[i].ok) {
			assert_ptr_equal(r.rest.ptr, cases[i].in.ptr);
			assert_int_equal(r.rest.len, cases[i].in.len);
			assert_null(value.ptr);
			continue;
		}
		if (r.rest.len != cases[i].rest ||
		    value.len != cases[i].value_len)
			fail_msg("%s: %zu of value, %zu left", cases[i].name,
			    value.len, r.rest.len);
	}
}

/* The shortest form of every length around a change of form. */
static void
test_lengths(void **state)
{
	static const struct {
		size_t len;
		struct bytes head;
	} lengths[] = {
	    {127, BYTES_LIT("\x04\x7f")},
	    {128, BYTES_LIT("\x04\x81\x80")},
	    {255, BYTES_LIT("\x04\x81\xff")},
	    {256, BYTES_LIT("\x04\x82\x01\x00")},
	    {65535, BYTES_LIT("\x04\x82\xff\xff")},
	    {65536, BYTES_LIT("\x04\x83\x01\x00\x00")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		AUTO(buf) in = BUF_INIT(70000);
		struct reader r;
		struct der_element e;

		buf_put(&in, lengths[i].head);
		for (size_t n = 0; n < lengths[i].len; n++)
			buf_put_u8(&in, 0x5a);
		reader_init(&r, buf_bytes(&in));
		assert_true(der_any(&r, &e));
		assert_int_equal(e.tag, DER_OCTET_STRING);
		assert_int_equal(e.value.len, lengths[i].len);
		assert_int_equal(e.whole.len, in.len);
		assert_true(reader_done(&r));
		reader_init(&r, bytes_of(in.ptr, in.len - 1));
		assert_false(der_any(&r, &e));
	}
}

static void
test_enter(void **state)
{
	struct reader r = {BYTES_LIT("\x30\x03\x02\x01\x05\x05\x00")};
	struct reader inner = {0};
	struct bytes n;

	(void)state;
	assert_false(der_enter(&r, DER_SET, &inner));
	assert_null(inner.rest.ptr);
	assert_true(der_enter(&r, DER_SEQUENCE, &inner));
	assert_true(der_positive(&inner, &n));
	assert_int_equal(n.ptr[0], 5);
	assert_true(reader_done(&inner));
	assert_false(der_skip(&r, DER_OID));
	assert_true(der_skip(&r, DER_NULL));
	assert_true(reader_done(&r));
}

/* Sequences in sequences, `depth` of them, around NULL. */
static bool
nested_is_well_formed(size_t depth)
{
	uint8_t in[128];
	size_t at = sizeof(in), len = 2;

	in[--at] = 0;
	in[--at] = DER_NULL;
	for (size_t i = 0; i < depth; i++) {
		in[--at] = (uint8_t)len;
		in[--at] = DER_SEQUENCE;
		len += 2;
	}
	return der_well_formed(bytes_of(in + at, sizeof(in) - at));
}

static void
test_well_formed(void **state)
{
	static const struct {
		struct bytes in;
		bool ok;
	} texts[] = {
	    {{0}, true},
	    {BYTES_LIT("\x05\x00\x05\x00"), true},
	    {BYTES_LIT("\x04\x02\x30\x80"), true}, /* not looked into */
	    {BYTES_LIT("\x30\x00\xa0\x02\x05\x00"), true},
	    {BYTES_LIT("\x05\x00\x05"), false},
	    {BYTES_LIT("\x30\x02\x05\x01"), false},
	    {BYTES_LIT("\x30\x01\x05"), false},
	    {BYTES_LIT("\x30\x03\x05\x00\x05\x00"), false},
	    {BYTES_LIT("\xa0\x04\x30\x02\x04\x01"), false},
	    {BYTES_LIT("\x30\x02\x30\x80\x00\x00"), false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(der_well_formed(texts[i].in), texts[i].ok);
	for (size_t depth = 0; depth < 40; depth++)
		assert_int_equal(
		    nested_is_well_formed(depth), depth <= DER_MAX_DEPTH);
}

/* What der_put writes, der_take reads, at every form of length. */
static void
test_put(void **state)
{
	static const size_t lens[] = {
	    0, 1, 127, 128, 255, 256, 65535, 65536, DER_MAX_LEN};
	static uint8_t zeros[DER_MAX_LEN + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct buf out = BUF_INIT(DER_MAX_LEN + 5);
		struct bytes value;
		struct error err = {0};
		struct reader r;

		der_put(&out, DER_OCTET_STRING, bytes_of(zeros, lens[i]));
		assert_true(buf_ok(&out, &err));
		reader_init(&r, buf_bytes(&out));
		assert_true(der_take(&r, DER_OCTET_STRING, &value));
		assert_int_equal(value.len, lens[i]);
		assert_true(reader_done(&r));
		if (i + 1 == sizeof(lens) / sizeof(lens[0]))
			der_put(&out, DER_OCTET_STRING, BYTES_OF(zeros));
		assert_int_equal(out.failed, lens[i] == DER_MAX_LEN);
		buf_release(&out);
	}
}

static void
test_put_unsigned(void **state)
{
	static const struct {
		struct bytes number, der;
	} numbers[] = {
	    {{0}, BYTES_LIT("\x02\x01\x00")},
	    {BYTES_LIT("\x00\x00"), BYTES_LIT("\x02\x01\x00")},
	    {BYTES_LIT("\x01"), BYTES_LIT("\x02\x01\x01")},
	    {BYTES_LIT("\x7f"), BYTES_LIT("\x02\x01\x7f")},
	    {BYTES_LIT("\x80"), BYTES_LIT("\x02\x02\x00\x80")},
	    {BYTES_LIT("\x00\x00\x80\x00"), BYTES_LIT("\x02\x03\x00\x80\x00")},
	    {BYTES_LIT("\x00\x7f\xff"), BYTES_LIT("\x02\x02\x7f\xff")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct buf out = BUF_INIT(16);

		der_put_unsigned(&out, numbers[i].number);
		assert_true(bytes_equal(buf_bytes(&out), numbers[i].der));
		buf_release(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_calls),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_enter),
	    cmocka_unit_test(test_well_formed),
	    cmocka_unit_test(test_put),
	    cmocka_unit_test(test_put_unsigned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
