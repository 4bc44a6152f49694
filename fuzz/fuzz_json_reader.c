/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: JSON. Whatever the pull parser takes, jansson takes too and finds the
 * same in it; and the other way round, limits and numbers apart.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/json_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void same(struct json_reader *r, const json_t *want);

static void
same_object(struct json_reader *r, const json_t *want)
{
	struct json_object o;
	struct bytes name;

	must(json_is_object(want));
	must(json_object_open(r, &o));
	while (json_object_next(r, &o, &name)) {
		const json_t *v =
		    json_object_getn(want, (const char *)name.ptr, name.len);

		must(v != NULL);
		same(r, v);
	}
	must(o.count == json_object_size(want));
}

static void
same_array(struct json_reader *r, const json_t *want)
{
	struct json_array a;
	size_t n = 0;

	must(json_is_array(want));
	must(json_array_open(r, &a));
	while (json_array_next(r, &a))
		same(r, json_array_get(want, n++));
	must(n == json_array_size(want));
}

static void
same_number(struct json_reader *r, const json_t *want)
{
	struct error err = {0};
	struct json_reader number;
	struct bytes text = {0};
	uint64_t n;

	must(json_is_number(want));
	must(json_reader_raw(r, &text));
	json_reader_init(&number, text, NULL, &err);
	if (json_reader_integer(&number, &n)) {
		must(json_number_value(want) == (double)n);
		must(!json_is_integer(want) ||
		    json_integer_value(want) == (json_int_t)n);
	} else if (json_is_integer(want)) {
		must(json_integer_value(want) < 0 || text.ptr[0] == '-' ||
		    json_integer_value(want) > INT64_C(1) << 53);
	}
}

static void
same(struct json_reader *r, const json_t *want)
{
	struct bytes text;
	bool yes;

	switch (json_reader_next(r)) {
	case '{':
		same_object(r, want);
		break;
	case '[':
		same_array(r, want);
		break;
	case '"':
		must(json_is_string(want));
		must(json_reader_string(r, &text));
		must(bytes_equal(text, json_text(want)) && utf8_valid(text));
		break;
	case 't':
	case 'f':
		must(json_is_boolean(want));
		must(json_reader_bool(r, &yes));
		must(yes == json_is_true(want));
		break;
	case 'n':
		must(json_reader_null(r) && json_is_null(want));
		break;
	default:
		same_number(r, want);
	}
	must(json_reader_ok(r));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size), raw;
	AUTO(arena) a = ARENA_INIT(32 * size + 64);
	AUTO_PTR(json_t) tree = NULL;
	struct error err = {0}, other = {0};
	struct json_reader r;
	bool taken = json_parse(in, size, &tree, &other);

	json_reader_init(&r, in, &a, &err);
	if (!json_reader_raw(&r, &raw) || !json_reader_end(&r)) {
		/* jansson overlooks a NUL byte behind a number. */
		must(err.code == ERR_LIMIT ||
		    (err.code == ERR_SYNTAX &&
			(!taken || memchr(data, 0, size))));
		return 0;
	}
	must(raw.len > 0 && raw.len <= size);
	if (!taken) {
		must(strstr(other.text, "too big") ||
		    strstr(other.text, "overflow"));
		return 0;
	}
	json_reader_init(&r, in, &a, &err);
	same(&r, tree);
	must(json_reader_end(&r));
	return 0;
}
