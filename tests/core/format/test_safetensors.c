/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>

#include "core/base/cleanup.h"
#include "core/format/safetensors.h"
#include "tests/support/vector_file.h"

#define FILE_MAX (1u << 20)

#define T(name, dtype, shape, offsets)                                         \
	"\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape              \
	"],\"data_offsets\":[" offsets "]}"

/* A file of this header and so many bytes of zeros. */
static void
make(const char *header, size_t data, struct buf *out)
{
	size_t n = strlen(header);

	for (size_t i = 0; i < SAFETENSORS_PREFIX_LEN; i++)
		buf_put_u8(out, (uint8_t)(n >> (8 * i)));
	buf_put_str(out, header);
	for (size_t i = 0; i < data; i++)
		buf_put_u8(out, 0);
}

static const struct {
	const char *header;
	size_t data, tensors, metadata;
} accepted[] = {
    {"{}", 0, 0, 0},
    {"{ }   ", 0, 0, 0},
    {"{\"__metadata__\":{}}", 0, 0, 0},
    {"{" T("a", "U8", "3", "0,3") "}", 3, 1, 0},
    {"{" T("a", "F32", "", "0,4") "}", 4, 1, 0},
    {"{" T("b", "I64", "1", "8,16") "," T("a", "F16", "2,2", "0,8") "}", 16, 2,
	0},
    {"{" T("e", "F32", "0,7", "0,0") "," T("w", "F32", "4", "0,16") "}", 16, 2,
	0},
    {"{" T("a", "U8", "1", "0,1") "," T("e", "U8", "0", "1,1") "," T(
	 "b", "U8", "1", "1,2") "}",
	2, 3, 0},
    {"{" T("q", "F4", "2", "0,1") "}", 1, 1, 0},
    {"{" T("q", "F6_E3M2", "4", "0,3") "}", 3, 1, 0},
    {"{\"__metadata__\":{\"b\":\"1\",\"a\":\"\"}," T(
	 "a", "BOOL", "1", "0,1") "}",
	1, 1, 2},
};

static void
test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		AUTO(buf) file = BUF_INIT(FILE_MAX);
		AUTO(safetensors) s = {0};
		struct error err = {0};

		make(accepted[i].header, accepted[i].data, &file);
		if (!safetensors_parse(buf_bytes(&file), file.len, &s, &err))
			fail_msg("%s: %s", accepted[i].header, err.text);
		assert_int_equal(s.count, accepted[i].tensors);
		assert_int_equal(s.metadata_count, accepted[i].metadata);
		assert_int_equal(s.data, file.len - accepted[i].data);
	}
}

static void
test_contents(void **state)
{
	AUTO(buf) file = BUF_INIT(FILE_MAX);
	AUTO(safetensors) s = {0};
	struct error err = {0};

	(void)state;
	make(
	    "{\"__metadata__\":{\"z\":\"\\u00e9\",\"k\":\"v\"}," T("w.b",
		"BF16", "2,3", "4,16") "," T("w.\\u0061", "I8", "4", "0,4") "}",
	    16, &file);
	assert_true(safetensors_parse(buf_bytes(&file), file.len, &s, &err));
	assert_int_equal(s.count, 2);
	assert_true(bytes_equal(s.tensors[0].name, BYTES_LIT("w.a")));
	assert_string_equal(s.tensors[0].dtype, "I8");
	assert_true(bytes_equal(s.tensors[1].name, BYTES_LIT("w.b")));
	assert_string_equal(s.tensors[1].dtype, "BF16");
	assert_int_equal(s.tensors[1].rank, 2);
	assert_int_equal(s.tensors[1].shape[0], 2);
	assert_int_equal(s.tensors[1].shape[1], 3);
	assert_int_equal(s.tensors[1].begin, 4);
	assert_int_equal(s.tensors[1].end, 16);
	assert_true(bytes_equal(s.metadata[0].key, BYTES_LIT("k")));
	assert_true(bytes_equal(s.metadata[1].value, BYTES_LIT("\xc3\xa9")));
}

static const struct {
	const char *header;
	size_t data;
	const char *says;
} refused[] = {
    {"[]", 0, "no JSON object"},
    {" {}", 0, "no JSON object"},
    {"{}{}", 0, "something else than spaces"},
    {"{}\n", 0, "something else than spaces"},
    {"{}", 1, "goes on after"},
    {"{" T("a", "U8", "1", "0,1"), 1, "no comma or brace"},
    {"{" T("a", "U8", "1", "0,1") ",}", 1, "no string"},
    {"{" T("a", "U8", "1", "0,1") "}", 0, "ends before"},
    {"{" T("a", "U8", "1", "0,1") "}", 2, "goes on after"},
    {"{" T("a", "U8", "1", "1,2") "}", 2, "hole or an overlap"},
    {"{" T("a", "U8", "2", "0,2") "," T("b", "U8", "2", "1,3") "}", 3,
	"hole or an overlap"},
    {"{" T("a", "U8", "2", "0,2") "," T("b", "U8", "2", "0,2") "}", 2,
	"hole or an overlap"},
    {"{" T("a", "U8", "1", "0,1") "," T("a", "U8", "1", "1,2") "}", 2, "twice"},
    {"{" T("a", "U8", "1", "0,1") "," T("\\u0061", "U8", "1", "1,2") "}", 2,
	"twice"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "twice"},
    {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, "twice"},
    {"{\"__metadata__\":[]}", 0, "no object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "no string"},
    {"{\"a\":[]}", 0, "no object"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0]}}", 0, "has dtype"},
    {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}", 0, "has dtype"},
    {"{\"a\":{\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "has dtype"},
    {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[0],"
     "\"data_offsets\":[0,0]}}",
	0, "twice"},
    {"{\"a\":{\"x\":1,\"dtype\":\"U8\",\"shape\":[0],"
     "\"data_offsets\":[0,0]}}",
	0, "unknown member"},
    {"{" T("a", "u8", "1", "0,1") "}", 1, "unknown dtype"},
    {"{" T("a", "U8", "1", "0,1,1") "}", 1, "two"},
    {"{" T("a", "U8", "1", "0") "}", 1, "beginning and an end"},
    {"{" T("a", "U8", "0", "1,0") "}", 1, "beginning and an end"},
    {"{" T("a", "U8", "16", "-16,0") "}", 0, "plain decimal"},
    {"{" T("a", "U8", "16", "0,1.6e1") "}", 16, "plain decimal"},
    {"{" T("a", "U8", "1.0", "0,1") "}", 1, "plain decimal"},
    {"{" T("a", "U8", "0", "0,18446744073709551616") "}", 0, "plain decimal"},
    {"{" T("a", "U8", "\"1\"", "0,1") "}", 1, "plain decimal"},
    {"{" T("a", "F32", "2", "0,4") "}", 4, "not as long"},
    {"{" T("a", "F4", "3", "0,2") "}", 2, "not as long"},
    {"{" T("a", "U8", "4294967296,4294967296", "0,0") "}", 0, "too large"},
    {"{" T("\\ud800", "U8", "1", "0,1") "}", 1, "surrogate"},
    {"{" T("\xff", "U8", "1", "0,1") "}", 1, "UTF-8"},
};

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		AUTO(buf) file = BUF_INIT(FILE_MAX);
		AUTO(safetensors) s = {0};
		struct error err = {0};

		make(refused[i].header, refused[i].data, &file);
		if (safetensors_parse(buf_bytes(&file), file.len, &s, &err))
			fail_msg("%s: accepted", refused[i].header);
		if (err.code != ERR_SYNTAX ||
		    !strstr(err.text, refused[i].says))
			fail_msg("%s: %s", refused[i].header, err.text);
		assert_string_equal(err.reason, "malformed-safetensors");
		assert_null(s.tensors);
	}
}

/* Prefixes, whatever stands behind them. */
static void
test_lengths(void **state)
{
	static const struct {
		const char *prefix;
		size_t len;
		uint64_t file;
		enum error_code code; /* ERR_NONE: accepted */
	} cases[] = {
	    {"\2\0\0\0\0\0\0\0", 8, 10, ERR_NONE},
	    {"\0\341\365\5\0\0\0\0", 8, 100000008, ERR_NONE},
	    {"\1\341\365\5\0\0\0\0", 8, 200000000, ERR_LIMIT},
	    {"\2\0\0\0\0\0\0\0", 8, 9, ERR_SYNTAX},
	    {"\1\0\0\0\0\0\0\0", 8, 10, ERR_SYNTAX},
	    {"\0\0\0\0\0\0\0\0", 8, 8, ERR_SYNTAX},
	    {"\2\0\0\0\0\0\0", 7, 10, ERR_SYNTAX},
	    {"\2\0\0\0\0\0\0\0", 8, 7, ERR_SYNTAX},
	    {"\0\0\0\0\0\0\0\200", 8, 100, ERR_LIMIT},
	    {"\377\377\377\377\377\377\377\377", 8, UINT64_MAX, ERR_LIMIT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		size_t n;

		assert_int_equal(safetensors_head_len(
				     bytes_of(cases[i].prefix, cases[i].len),
				     cases[i].file, &n, &err),
		    cases[i].code == ERR_NONE);
		assert_int_equal(err.code, cases[i].code);
	}
}

static void
test_limits(void **state)
{
	AUTO(buf) header = BUF_INIT(FILE_MAX);
	AUTO(buf) file = BUF_INIT(FILE_MAX);
	AUTO(safetensors) s = {0};
	struct error err = {0};
	char *text;

	(void)state;
	buf_put_str(
	    &header, "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1],");
	buf_put_str(&header, "\"shape\":[1");
	for (size_t i = 1; i <= SAFETENSORS_RANK_MAX; i++)
		buf_put_str(&header, ",1");
	buf_put_str(&header, "]}}");
	text = buf_dup_string(&header);
	assert_non_null(text);
	make(text, 1, &file);
	free(text);
	assert_false(safetensors_parse(buf_bytes(&file), file.len, &s, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	/* Half a header is the caller's mistake, not the file's. */
	err = (struct error){0};
	assert_false(safetensors_parse(
	    bytes_slice(buf_bytes(&file), 0, 20), file.len, &s, &err));
	assert_int_equal(err.code, ERR_USAGE);
}

static void
test_own_files(void **state)
{
	char path[VECTOR_PATH_MAX];
	size_t good = 0, bad = 0;
	struct dirent *e;
	DIR *d = opendir(vector_own(path, "safetensors"));

	(void)state;
	while (d && (e = readdir(d))) {
		AUTO(buf) in = BUF_INIT(FILE_MAX);
		AUTO(safetensors) s = {0};
		struct error err = {0};
		char inside[300];
		bool valid = strncmp(e->d_name, "valid-", 6) == 0;

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(
		    inside, sizeof(inside), "safetensors/%s", e->d_name);
		if (!vector_read(vector_own(path, inside), &in))
			fail_msg("%s", path);
		if (safetensors_parse(buf_bytes(&in), in.len, &s, &err) !=
		    valid)
			fail_msg("%s: %s", e->d_name, err.text);
		*(valid ? &good : &bad) += 1;
	}
	if (d)
		(void)closedir(d);
	assert_true(good >= 6 && bad >= 10);
}

/* One line of expected.tsv: file, verdict, what is special. */
static void
check_public(struct bytes line, size_t *count)
{
	AUTO(buf) in = BUF_INIT(FILE_MAX);
	AUTO(safetensors) s = {0};
	struct reader r = {line};
	struct bytes name, verdict;
	struct error err = {0};
	char path[VECTOR_PATH_MAX], inside[300];
	bool valid;

	if (!bytes_starts(line, BYTES_LIT("safetensors/")) ||
	    !reader_until(&r, '\t', &name) || !reader_until(&r, '\t', &verdict))
		return;
	valid = bytes_equal(verdict, BYTES_LIT("SAFE_DATA"));
	(void)snprintf(inside, sizeof(inside), "model-files/generated/%.*s",
	    (int)name.len, (const char *)name.ptr);
	if (!vector_read(vector_public(path, inside), &in))
		fail_msg("%s", path);
	if (safetensors_parse(buf_bytes(&in), in.len, &s, &err) != valid)
		fail_msg("%s: %s", inside, err.text);
	(*count)++;
}

static void
test_public(void **state)
{
	AUTO(buf) list = BUF_INIT(FILE_MAX);
	char path[VECTOR_PATH_MAX];
	struct reader r;
	struct bytes line;
	size_t count = 0;

	(void)state;
	if (!vector_read(
		vector_public(path, "model-files/generated/expected.tsv"),
		&list)) {
		print_message("SKIP: no %s\n", path);
		skip();
	}
	reader_init(&r, buf_bytes(&list));
	while (reader_line(&r, &line))
		check_public(line, &count);
	assert_true(count >= 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_contents),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_own_files),
	    cmocka_unit_test(test_public),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
