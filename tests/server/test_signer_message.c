/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"

static void
test_request_round_trip(void **state)
{
	static const size_t lengths[] = {0, 1, 2, PROOF_MAX_HASHES};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		AUTO(buf) packet = BUF_INIT(SIGNER_MESSAGE_MAX);
		struct signer_request r = {.verb = SIGNER_SIGN,
		    .size = TREE_MAX_SIZE,
		    .root = {{1, 2, 3}},
		    .store_identity = UINT64_MAX};
		struct signer_request back;
		struct error err = {0};

		r.proof.len = lengths[i];
		for (size_t k = 0; k < lengths[i]; k++)
			r.proof.hashes[k].b[k % HASH_LEN] = (uint8_t)(k + 1);
		signer_request_format(&r, &packet);
		assert_int_equal(packet.len, 49 + 32 * lengths[i]);
		assert_true(
		    signer_request_parse(buf_bytes(&packet), &back, &err));
		assert_int_equal(back.size, r.size);
		assert_int_equal(back.store_identity, r.store_identity);
		assert_true(hash_equal(&back.root, &r.root));
		assert_int_equal(back.proof.len, r.proof.len);
		assert_memory_equal(
		    back.proof.hashes, r.proof.hashes, sizeof(r.proof.hashes));
	}
}

static void
test_request_refuses(void **state)
{
	static const struct {
		uint8_t first;
		size_t len;
	} cases[] = {{0, 0}, {0x00, 1}, {0x00, 49}, {0x03, 1}, {0x11, 49},
	    {0xff, 49}, {SIGNER_FREEZE, 2}, {SIGNER_FREEZE, 49},
	    {SIGNER_SIGN, 1}, {SIGNER_SIGN, 9}, {SIGNER_SIGN, 41},
	    {SIGNER_SIGN, 48}, {SIGNER_SIGN, 50}, {SIGNER_SIGN, 80},
	    {SIGNER_SIGN, 82}, {SIGNER_SIGN, 49 + 32 * 64},
	    {SIGNER_SIGN, 49 + 32 * 64 - 1}};
	uint8_t packet[49 + 32 * 64] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct signer_request r;
		struct error err = {0};

		packet[0] = cases[i].first;
		if (signer_request_parse(
			bytes_of(packet, cases[i].len), &r, &err))
			fail_msg("accepted: case %zu", i);
		assert_int_equal(err.code, ERR_SYNTAX);
	}
}

static void
reply_send(
    const struct signer_reply *r, struct signer_reply *back, struct buf *packet)
{
	struct error err = {0};

	signer_reply_format(r, packet);
	assert_true(signer_reply_parse(buf_bytes(packet), back, &err));
}

static void
test_reply_round_trip(void **state)
{
	static const char *const reasons[] = {"log-frozen", "log-latched",
	    "guard-io", "head-refused", NULL, "not one of the list"};

	(void)state;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		AUTO(buf) packet = BUF_INIT(SIGNER_MESSAGE_MAX);
		struct signer_reply r = {0}, back;

		error_reason(&r.error, ERR_DENIED, reasons[i], "%0399d", 1);
		reply_send(&r, &back, &packet);
		assert_int_equal(back.error.code, ERR_DENIED);
		assert_string_equal(back.error.text, r.error.text);
		if (i < 4)
			assert_string_equal(back.error.reason, reasons[i]);
		else
			assert_null(back.error.reason);
	}
	for (size_t len = 0; len <= GUARD_NOTE_MAX; len += GUARD_NOTE_MAX) {
		AUTO(buf) packet = BUF_INIT(SIGNER_MESSAGE_MAX);
		static const uint8_t note[GUARD_NOTE_MAX] = "note";
		struct signer_reply r = {.note = bytes_of(note, len)}, back;

		reply_send(&r, &back, &packet);
		assert_int_equal(back.error.code, ERR_NONE);
		assert_true(bytes_equal(back.note, r.note));
	}
}

static void
test_reply_refuses(void **state)
{
	static const struct {
		const char *packet;
		size_t len;
	} cases[] = {{"", 0}, {"\x01", 1}, {"\x10note", 5}, {"\x13", 1},
	    {"\x12", 1}, {"\x12\x01", 2}, {"\x12\x00\x00text", 7},
	    {"\x12\x0b\x00text", 7}, {"\x12\x01\x05text", 7},
	    {"\x12\x01\x00te\0t", 7}};
	uint8_t large[2 + GUARD_NOTE_MAX] = {0x11};
	struct signer_reply r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};

		if (signer_reply_parse(
			bytes_of(cases[i].packet, cases[i].len), &r, &err))
			fail_msg("accepted: case %zu", i);
		assert_int_equal(err.code, ERR_SYNTAX);
	}
	assert_false(
	    signer_reply_parse(BYTES_OF(large), &r, &(struct error){0}));
	memset(large, 'x', sizeof(large));
	large[0] = 0x12;
	large[1] = large[2] = 1;
	assert_false(signer_reply_parse(
	    bytes_of(large, 3 + ERROR_TEXT_MAX), &r, &(struct error){0}));
	assert_true(signer_reply_parse(
	    bytes_of(large, 2 + ERROR_TEXT_MAX), &r, &(struct error){0}));
}

static void
hello_make(struct signer_hello *hello)
{
	static const uint8_t key[32] = {9};
	struct error err = {0};

	*hello = (struct signer_hello){
	    .guard = SIGNER_GUARD_OK,
	    .state = {.generation = 5,
		.origin = "log.example.org",
		.note_len = 4,
		.note = "note"},
	    .sandbox = "no-new-privs",
	};
	assert_true(vkey_init(&hello->vkey, BYTES_LIT("log.example.org"),
	    NOTE_ED25519, BYTES_OF(key), &err));
}

static void
test_hello_round_trip(void **state)
{
	struct hasher h;
	struct error err = {0};

	(void)state;
	assert_true(hasher_open(&h, &err));
	for (int i = 0; i < 3; i++) {
		AUTO(buf) packet = BUF_INIT(SIGNER_MESSAGE_MAX);
		struct signer_hello hello, back;

		hello_make(&hello);
		if (i == 1)
			hello.guard = SIGNER_GUARD_ROLLBACK;
		if (i == 2) {
			hello.guard = SIGNER_GUARD_MISSING;
			hello.state = (struct guard_state){0};
			memset(hello.note_error, 'e',
			    sizeof(hello.note_error) - 1);
			memset(hello.sandbox, 's', sizeof(hello.sandbox) - 1);
		}
		assert_true(signer_hello_format(&h, &hello, &packet, &err));
		assert_true(
		    signer_hello_parse(&h, buf_bytes(&packet), &back, &err));
		assert_int_equal(back.guard, hello.guard);
		assert_string_equal(back.note_error, hello.note_error);
		assert_string_equal(back.sandbox, hello.sandbox);
		assert_int_equal(back.state.generation, hello.state.generation);
		assert_int_equal(back.state.note_len, hello.state.note_len);
		assert_int_equal(back.vkey.key_id, hello.vkey.key_id);
		assert_true(hash_equal(&back.vkey.log_id, &hello.vkey.log_id));
	}
	hasher_release(&h);
}

/* A changed byte may still parse, but every cut and addition is refused: the
 * greeting without its guard must not pass for a sound one. */
static void
test_hello_refuses(void **state)
{
	AUTO(buf) packet = BUF_INIT(SIGNER_MESSAGE_MAX);
	struct signer_hello hello, back;
	struct hasher h;
	struct error err = {0};

	(void)state;
	assert_true(hasher_open(&h, &err));
	hello_make(&hello);
	assert_true(signer_hello_format(&h, &hello, &packet, &err));
	for (size_t len = 0; len < packet.len; len++) {
		struct error e = {0};

		assert_false(signer_hello_parse(
		    &h, bytes_of(packet.ptr, len), &back, &e));
		assert_int_equal(e.code, ERR_SYNTAX);
	}
	buf_put_u8(&packet, 0);
	assert_false(signer_hello_parse(
	    &h, buf_bytes(&packet), &back, &(struct error){0}));
	packet.len--;
	packet.ptr[1] = SIGNER_GUARD_COPY + 1;
	assert_false(signer_hello_parse(
	    &h, buf_bytes(&packet), &back, &(struct error){0}));
	packet.ptr[1] = SIGNER_GUARD_OK;
	packet.ptr[packet.len - 1] ^= 1; /* the slot's checksum */
	assert_false(signer_hello_parse(
	    &h, buf_bytes(&packet), &back, &(struct error){0}));
	hasher_release(&h);
}

static void
test_hello_carries_error(void **state)
{
	AUTO(buf) packet = BUF_INIT(SIGNER_MESSAGE_MAX);
	struct signer_reply failed = {0};
	struct signer_hello hello;
	struct hasher h;
	struct error err = {0};

	(void)state;
	assert_true(hasher_open(&h, &err));
	error_set(&failed.error, ERR_CONFLICT, "locked");
	signer_reply_format(&failed, &packet);
	assert_false(signer_hello_parse(&h, buf_bytes(&packet), &hello, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_string_equal(err.text, "locked");
	hasher_release(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_request_round_trip),
	    cmocka_unit_test(test_request_refuses),
	    cmocka_unit_test(test_reply_round_trip),
	    cmocka_unit_test(test_reply_refuses),
	    cmocka_unit_test(test_hello_round_trip),
	    cmocka_unit_test(test_hello_refuses),
	    cmocka_unit_test(test_hello_carries_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
