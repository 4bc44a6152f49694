/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/json.h"

#include "core/base/encoding.h"
#include "core/base/reader.h"

/*
 * jansson recurses to a depth of its own (2048), so the nesting is counted
 * here first, in one pass that knows only strings and brackets.
 */
static bool
depth_within(struct bytes in, size_t max)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > max)
				return false;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

bool
json_parse(struct bytes in, size_t limit, json_t **out, struct error *err)
{
	json_error_t why;
	json_t *value;

	if (in.len > limit)
		return error_set(err, ERR_LIMIT,
		    "JSON of %zu bytes is larger than the limit of %zu", in.len,
		    limit);
	if (!depth_within(in, JSON_MAX_DEPTH))
		return error_set(err, ERR_SYNTAX,
		    "JSON is nested deeper than %d levels", JSON_MAX_DEPTH);
	value = json_loadb((const char *)in.ptr, in.len,
	    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (!value && json_error_code(&why) == json_error_out_of_memory)
		return error_set(err, ERR_INTERNAL, "out of memory");
	/* jansson quotes the input, which need not be UTF-8. */
	if (!value)
		return error_set(err, ERR_SYNTAX,
		    "not valid JSON: %s (line %d, column %d)",
		    utf8_valid(bytes_str(why.text)) ? why.text : "syntax error",
		    why.line, why.column);
	*out = value;
	return true;
}

void
json_put_string(struct buf *out, struct bytes text)
{
	buf_put_u8(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];

		if (c == '"' || c == '\\') {
			buf_put_u8(out, '\\');
			buf_put_u8(out, c);
		} else if (c == '\n') {
			buf_put_str(out, "\\n");
		} else if (c < 0x20) {
			buf_printf(out, "\\u%04x", c);
		} else {
			buf_put_u8(out, c);
		}
	}
	buf_put_u8(out, '"');
}

bool
json_decimal(const json_t *value, uint64_t *out)
{
	return json_is_string(value) && decimal_parse(json_text(value), out);
}
