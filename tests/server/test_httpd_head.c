/* SPDX-License-Identifier: Apache-2.0 */
#include "server/httpd_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/buf.h"
#include "core/base/cleanup.h"

#define MAX_BODY 4096
#define H	 " HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED	 "POST /" H "Transfer-Encoding: chunked\r\n\r\n"

struct case_ {
	const char *text;
	size_t len;
	enum http_fault fault;
	unsigned heads, whole;
};

#define OK(s, heads, whole)                                                    \
	{                                                                      \
		s, sizeof(s) - 1, HTTP_FAULT_NONE, heads, whole                \
	}
#define BAD(s, fault)                                                          \
	{                                                                      \
		s, sizeof(s) - 1, HTTP_FAULT_##fault, 0, 0                     \
	}
#define LATE(s, fault, heads, whole)                                           \
	{                                                                      \
		s, sizeof(s) - 1, HTTP_FAULT_##fault, heads, whole             \
	}

static const struct case_ cases[] = {
    /* whole requests */
    OK("GET /" H "\r\n", 1, 1),
    OK("GET / HTTP/1.0\r\n\r\n", 1, 1),
    OK("\r\nGET /" H "\r\n", 1, 1),
    OK("GET /?a=%00&b=\"" H "\r\n", 1, 1),
    OK("GET http://a/b?c" H "\r\n", 1, 1),
    OK("GET HTTPS://a" H "\r\n", 1, 1),
    OK("OPTIONS *" H "\r\n", 1, 1),
    OK("BREW-1.x /" H "\r\n", 1, 1),
    OK("GET /" H "X:\r\nX-Y:\t \xe4 v\t\r\n\r\n", 1, 1),
    OK("GET /" H "Content-Length: 0\r\n\r\n", 1, 1),
    OK("POST /" H "\r\n", 1, 1),
    OK("POST /" H "cONTENT-lENGTH: \t5\r\n\r\nhello", 1, 1),
    OK("POST /" H "Content-Length: 4096\r\n\r\n", 1, 0),
    OK("POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\n\r", 1, 1),
    OK(CHUNKED "5\r\nhello\r\n0\r\n\r\n", 1, 1),
    OK(CHUNKED "00A;x=\"y\"\r\n0123456789\r\n0\r\nA: b\r\nHost: c\r\n\r\n", 1,
	1),
    OK("GET /1" H "\r\nPOST /2" H "Content-Length: 2\r\n\r\nhiGET /3" H "\r\n",
	3, 3),
    OK(CHUNKED "1\r\na\r\n0\r\n\r\n\r\nGET /" H "\r\n", 2, 2),
    /* parts */
    OK("", 0, 0),
    OK("\r\n", 0, 0),
    OK("GET /" H, 0, 0),
    OK(CHUNKED "3\r\nab", 1, 0),
    /* what follows the last request is none */
    OK("GET / HTTP/1.0\r\n\r\n\1\2\3", 1, 1),
    OK("GET /" H "Connection: close\r\n\r\nrubbish\r\n", 1, 1),
    OK("GET /" H "Connection: a , CLOSE ,b\r\n\r\nrubbish\r\n", 1, 1),
    LATE("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n\1", METHOD, 1, 1),
    LATE("GET /" H "Connection: closed\r\n\r\n\1", METHOD, 1, 1),
    /* the request line */
    BAD("\x16\x03\x01", TLS),
    BAD("\r\n\r\n", METHOD),
    BAD("\n", METHOD),
    BAD("\r\rGET /" H "\r\n", METHOD),
    BAD(" GET /" H "\r\n", METHOD),
    BAD("G\0T /" H "\r\n", METHOD),
    BAD("GET\t/" H "\r\n", METHOD),
    BAD("GET\r\n\r\n", METHOD),
    BAD("G(T /" H "\r\n", METHOD),
    BAD("{\"a\": 1}\r\n\r\n", METHOD),
    BAD("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQR /" H "\r\n", METHOD),
    BAD("GET  /" H "\r\n", TARGET),
    BAD("GET /a b" H "\r\n", TARGET),
    BAD("GET /\0" H "\r\n", TARGET),
    BAD("GET /\x01" H "\r\n", TARGET),
    BAD("GET /\x7f" H "\r\n", TARGET),
    BAD("GET /\xc3\xa4" H "\r\n", TARGET),
    BAD("GET /\t" H "\r\n", TARGET),
    BAD("GET checkpoint" H "\r\n", TARGET_FORM),
    BAD("GET ftp://a/" H "\r\n", TARGET_FORM),
    BAD("CONNECT a:443" H "\r\n", TARGET_FORM),
    BAD("GET ?" H "\r\n", TARGET_FORM),
    BAD("GET /\r\n\r\n", VERSION),
    BAD("GET /\n", VERSION),
    BAD("GET \r\n", VERSION),
    BAD("GET / \r\n\r\n", VERSION),
    BAD("GET / HTTP/9.9\r\n", VERSION),
    BAD("GET / HTTP/2.0\r\n", VERSION),
    BAD("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION),
    BAD("GET / HTTP/1.2\r\n", VERSION),
    BAD("GET / HTTP/1.\r\n", VERSION),
    BAD("GET / HTTP/1.11\r\n", VERSION),
    BAD("GET / http/1.1\r\n", TARGET),
    BAD("GET / Http/1.1\r\n", VERSION),
    BAD("GET / HTTP/1.1 \r\n", VERSION),
    BAD("GET / HTTP/1.1\n", LINE_END),
    BAD("GET / HTTP/1.1\rX", LINE_END),
    /* header lines */
    BAD("GET /" H "\n", LINE_END),
    BAD("GET /" H "X: y\n", LINE_END),
    BAD("GET /" H "X: y\rZ: z\r\n\r\n", LINE_END),
    BAD("GET /" H "\r\r\n", LINE_END),
    BAD("GET /" H "no colon\r\n\r\n", NAME),
    BAD("GET /" H "nocolon\r\n\r\n", NAME),
    BAD("GET /" H ": y\r\n\r\n", NAME),
    BAD("GET /" H "X : y\r\n\r\n", NAME),
    BAD("GET /" H "X\0Y: y\r\n\r\n", NAME),
    BAD("GET /" H "\xe4: y\r\n\r\n", NAME),
    BAD("GET /" H "X: a\0b\r\n\r\n", VALUE),
    BAD("GET /" H "X: a\x01\r\n\r\n", VALUE),
    BAD("GET /" H "X: a\x7f\r\n\r\n", VALUE),
    BAD("GET /" H "X: a\r\n b\r\n\r\n", FOLDED),
    BAD("GET /" H "X: a\r\n\tb: c\r\n\r\n", FOLDED),
    BAD("GET / HTTP/1.1\r\n Host: a\r\n\r\n", FOLDED),
    BAD("GET / HTTP/1.1\r\n\r\n", HOST),
    BAD("GET /" H "hOST: a\r\n\r\n", HOST),
    /* lengths and encodings */
    BAD("POST /" H "Content-Length:\r\n\r\n", LENGTH),
    BAD("POST /" H "Content-Length: 01\r\n\r\n", LENGTH),
    BAD("POST /" H "Content-Length: 1\t\r\n\r\n", LENGTH),
    BAD("POST /" H "Content-Length: 1 \r\n\r\n", LENGTH),
    BAD("POST /" H "Transfer-Encoding: chunked\t\r\n\r\n", ENCODING),
    BAD("POST /" H "Transfer-Encoding: chunked \r\n\r\n", ENCODING),
    BAD("POST /" H "Content-Length: +1\r\n\r\n", LENGTH),
    BAD("POST /" H "Content-Length: -1\r\n\r\n", LENGTH),
    BAD("POST /" H "Content-Length: 0x1\r\n\r\n", LENGTH),
    BAD("POST /" H "Content-Length: 1, 1\r\n\r\n", LENGTH),
    BAD("POST /" H "Content-Length: 1 1\r\n\r\n", LENGTH),
    BAD("POST /" H "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
	LENGTH_TWICE),
    BAD("POST /" H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	LENGTH_TWICE),
    BAD("POST /" H "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
	LENGTH_TWICE),
    BAD("POST /" H "Transfer-Encoding: chunked\r\n"
	"Transfer-Encoding: chunked\r\n\r\n",
	LENGTH_TWICE),
    BAD("POST /" H "Transfer-Encoding: gzip, chunked\r\n\r\n", ENCODING),
    BAD("POST /" H "Transfer-Encoding: xchunked\r\n\r\n", ENCODING),
    BAD("POST /" H "Transfer-Encoding:\r\n\r\n", ENCODING),
    BAD("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", ENCODING_OLD),
    BAD("GET /" H "Content-Length: 1\r\n\r\na", BODY_UNWANTED),
    BAD("HEAD /" H "Transfer-Encoding: chunked\r\n\r\n", BODY_UNWANTED),
    BAD("POST /" H "Content-Length: 4097\r\n\r\n", BODY_LARGE),
    BAD("POST /" H "Content-Length: 18446744073709551617\r\n\r\n", BODY_LARGE),
    BAD("POST /" H "Content-Length: 99999999999999999999999999999\r\n\r\n",
	BODY_LARGE),
    /* chunks */
    LATE(CHUNKED "xx\r\n", CHUNK, 1, 0),
    LATE(CHUNKED "\r\n", CHUNK, 1, 0),
    LATE(CHUNKED "-1\r\n", CHUNK, 1, 0),
    LATE(CHUNKED "0x1\r\n", CHUNK, 1, 0),
    LATE(CHUNKED "1 \r\na\r\n", CHUNK, 1, 0),
    LATE(CHUNKED "1\na\r\n", CHUNK, 1, 0),
    LATE(CHUNKED "1\r\nab\r\n", CHUNK, 1, 0),
    LATE(CHUNKED "1\r\na\n", CHUNK, 1, 0),
    LATE(CHUNKED "000000001\r\n", CHUNK, 1, 0),
    LATE(CHUNKED "1;\0\r\n", CHUNK, 1, 0),
    LATE(CHUNKED "1001\r\n", BODY_LARGE, 1, 0),
    LATE(CHUNKED "ffffffff\r\n", BODY_LARGE, 1, 0),
    LATE(CHUNKED "0\r\nno colon\r\n", NAME, 1, 0),
    LATE(CHUNKED "0\r\n folded: a\r\n", FOLDED, 1, 0),
    /* the second of two */
    LATE("GET /" H "\r\nGET /" H "bad\r\n", NAME, 1, 1),
    LATE("POST /" H "Content-Length: 1\r\n\r\nab /\1", TARGET, 1, 1),
};

static void
check(const struct case_ *c, size_t piece)
{
	struct http_reader r;

	http_reader_init(&r, MAX_BODY);
	for (size_t i = 0; i < c->len; i += piece) {
		size_t n = c->len - i < piece ? c->len - i : piece;

		assert_true(
		    http_reader_take(&r, bytes_of(c->text + i, n)) <= n);
	}
	if (r.fault != c->fault || r.heads != c->heads || r.whole != c->whole)
		fail_msg("%s\nin pieces of %zu: fault %d, not %d; %u heads, "
			 "%u whole",
		    c->text, piece, (int)r.fault, (int)c->fault,
		    (unsigned)r.heads, (unsigned)r.whole);
}

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static const size_t pieces[] = {1, 2, 3, 7, 10000};

		for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++)
			check(&cases[i], pieces[k]);
	}
}

static void
test_names(void **state)
{
	static const char tokens[] =
	    "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz:";

	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		char text[] = "GET /" H "X?: y\r\n\r\n";
		bool good = strchr(tokens, (int)c) != NULL;
		struct http_reader r;

		*strrchr(text, '?') = (char)c;
		http_reader_init(&r, MAX_BODY);
		(void)!http_reader_take(&r, bytes_str(text));
		assert_int_equal(
		    r.fault, good ? HTTP_FAULT_NONE : HTTP_FAULT_NAME);
	}
}

/* Each fault is reached by a case above or below, and has its answer. */
static void
test_answers(void **state)
{
	bool seen[HTTP_FAULT_COUNT] = {
	    [HTTP_FAULT_TARGET_LONG] = true,
	    [HTTP_FAULT_HEAD_LARGE] = true,
	    [HTTP_FAULT_INCOMPLETE] = true,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		seen[cases[i].fault] = true;
	for (int f = HTTP_FAULT_NONE + 1; f < HTTP_FAULT_COUNT; f++) {
		const struct http_fault_answer *a =
		    http_fault_answer((enum http_fault)f);

		assert_true(seen[f]);
		assert_in_range(a->status, 400, 499);
		assert_true(strlen(a->reason) > 4 && strlen(a->message) > 20);
		assert_true(strlen(a->message) < 140);
	}
}

/* What may be passed on: all, or the requests before the fault. */
static void
test_what_passes(void **state)
{
	static const struct {
		const char *first, *second;
		size_t passed; /* of the second */
	} parts[] = {
	    {"", "GET /" H "\r\n", 27},
	    {"", "GET /" H "\r\nBAD", 30},
	    {"", "GET /" H "\r\nBAD\r\n", 27},
	    {"", "BAD\r\nGET /" H "\r\n", 0},
	    {"GET ", "/" H "\r\n\1", 23},
	    {"GET ", "/" H "bad\r\n", 0},
	    {CHUNKED "1\r", "\na\r\nxx\r\n", 0},
	    {CHUNKED "1\r", "\na\r\n0\r\n\r\n\1", 9},
	    {"GET / HTTP/1.0\r\n", "\r\nmore", 2},
	    {"GET / HTTP/1.0\r\n\r\n", "more", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct http_reader r;
		struct bytes first = bytes_str(parts[i].first);

		http_reader_init(&r, MAX_BODY);
		assert_int_equal(http_reader_take(&r, first), first.len);
		assert_int_equal(
		    http_reader_take(&r, bytes_str(parts[i].second)),
		    parts[i].passed);
	}
}

static void
test_ends(void **state)
{
	static const struct {
		const char *text;
		enum http_fault fault;
	} ends[] = {
	    {"", HTTP_FAULT_NONE},
	    {"\r\n", HTTP_FAULT_NONE},
	    {"GET /" H "\r\n", HTTP_FAULT_NONE},
	    {"GET / HTTP/1.0\r\n\r\nmore", HTTP_FAULT_NONE},
	    {"G", HTTP_FAULT_INCOMPLETE},
	    {"GET /" H, HTTP_FAULT_INCOMPLETE},
	    {"POST /" H "Content-Length: 2\r\n\r\n1", HTTP_FAULT_INCOMPLETE},
	    {CHUNKED "0\r\n", HTTP_FAULT_INCOMPLETE},
	    {"BAD\r\n", HTTP_FAULT_METHOD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct http_reader r;

		http_reader_init(&r, MAX_BODY);
		(void)!http_reader_take(&r, bytes_str(ends[i].text));
		http_reader_end(&r);
		assert_int_equal(r.fault, ends[i].fault);
	}
}

static enum http_fault
repeat(const char *start, const char *piece, size_t times, const char *end)
{
	AUTO(buf) text = BUF_INIT(1 << 20);
	struct http_reader r;

	buf_put_str(&text, start);
	for (size_t i = 0; i < times; i++)
		buf_put_str(&text, piece);
	buf_put_str(&text, end);
	http_reader_init(&r, MAX_BODY);
	(void)!http_reader_take(&r, buf_bytes(&text));
	assert_true(r.fault != HTTP_FAULT_NONE || r.whole == 1);
	return r.fault;
}

static void
test_limits(void **state)
{
	(void)state;
	assert_int_equal(repeat("GET /", "a", HTTP_TARGET_MAX - 1, H "\r\n"),
	    HTTP_FAULT_NONE);
	assert_int_equal(
	    repeat("GET /", "a", HTTP_TARGET_MAX, ""), HTTP_FAULT_TARGET_LONG);
	assert_int_equal(
	    repeat("GET /" H "X: ", "a", 5000, "\r\n\r\n"), HTTP_FAULT_NONE);
	assert_int_equal(repeat("GET /" H "X: ", "a", HTTP_HEAD_MAX, ""),
	    HTTP_FAULT_HEAD_LARGE);
	assert_int_equal(repeat("GET /" H "X: ", " ", HTTP_HEAD_MAX, ""),
	    HTTP_FAULT_HEAD_LARGE);
	assert_int_equal(
	    repeat("GET /" H, "X: y\r\n", 50, "\r\n"), HTTP_FAULT_NONE);
	assert_int_equal(
	    repeat("GET /" H, "X: y\r\n", 100, ""), HTTP_FAULT_HEAD_LARGE);
	assert_int_equal(repeat("GET /?", "a&", 50, H "\r\n"), HTTP_FAULT_NONE);
	assert_int_equal(
	    repeat("GET /?", "a&", 100, ""), HTTP_FAULT_HEAD_LARGE);
	assert_int_equal(repeat("GET /" H "Cookie: ", "a=b;", 20, "\r\n\r\n"),
	    HTTP_FAULT_NONE);
	assert_int_equal(repeat("GET /" H "Cookie: ", "a=b;", 100, ""),
	    HTTP_FAULT_HEAD_LARGE);
	assert_int_equal(repeat(CHUNKED, "1\r\na\r\n", MAX_BODY, "0\r\n\r\n"),
	    HTTP_FAULT_NONE);
	assert_int_equal(repeat(CHUNKED, "1\r\na\r\n", MAX_BODY + 1, ""),
	    HTTP_FAULT_BODY_LARGE);
	assert_int_equal(
	    repeat(CHUNKED "1;", "a", HTTP_CHUNK_LINE, ""), HTTP_FAULT_CHUNK);
	assert_int_equal(
	    repeat(CHUNKED "0\r\n", "X: y\r\n", 80, "\r\n"), HTTP_FAULT_NONE);
	assert_int_equal(repeat(CHUNKED "0\r\n", "X: y\r\n", 100, ""),
	    HTTP_FAULT_HEAD_LARGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_what_passes),
	    cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("httpd_head", tests, NULL, NULL);
}
