/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rule_text.h"

#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "core/model/statement.h"

#define PER_DAY_MAX 1000000000

bool
rule_name_kind(struct bytes word, enum certificate_name_kind *out)
{
	static const struct {
		const char *word;
		enum certificate_name_kind kind;
	} kinds[] = {
	    {"email", CERTIFICATE_EMAIL},
	    {"uri", CERTIFICATE_URI},
	    {"dns", CERTIFICATE_DNS},
	    {"other", CERTIFICATE_OTHER},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (bytes_equal(word, bytes_str(kinds[i].word))) {
			*out = kinds[i].kind;
			return true;
		}
	return false;
}

static bool
is_path(struct bytes path)
{
	return path.len > 0 && path.ptr[0] != ' ';
}

bool
rule_key_parse(struct bytes text, struct rule_key *out)
{
	*out = (struct rule_key){.path = text};
	out->is_hash = hex_decode(text, out->spki.b, HASH_LEN);
	return out->is_hash || is_path(text);
}

bool
rule_identity_parse(struct bytes text, struct rule_identity *out)
{
	struct reader r = {text};
	struct bytes word;

	*out = (struct rule_identity){0};
	if (!reader_until(&r, ':', &word) ||
	    !rule_name_kind(word, &out->kind) ||
	    !reader_until(&r, ' ', &out->value) || out->value.len == 0)
		return false;
	if (reader_literal(&r, BYTES_LIT("issuer=")) &&
	    (!reader_until(&r, ' ', &out->issuer) || out->issuer.len == 0))
		return false;
	out->path = r.rest;
	return is_path(r.rest);
}

static bool
pattern_valid(struct bytes pattern)
{
	if (bytes_equal(pattern, BYTES_LIT("*")))
		return true;
	if (pattern.len > 2 && pattern.ptr[pattern.len - 1] == '*' &&
	    pattern.ptr[pattern.len - 2] == '/')
		pattern.len -= 2;
	return model_name_valid(pattern);
}

bool
rule_token_parse(struct bytes text, struct rule_token *out)
{
	struct reader r = {text};
	struct bytes number;

	*out = (struct rule_token){0};
	if (!reader_until(&r, ' ', &out->pattern) ||
	    !pattern_valid(out->pattern) || !reader_until(&r, ' ', &number) ||
	    !decimal_parse(number, &out->per_day) || out->per_day < 1 ||
	    out->per_day > PER_DAY_MAX)
		return false;
	out->path = r.rest;
	return is_path(r.rest);
}

/* "interval=1000": a number behind a word, from 1 on; what stands there stays
 * where it is if it is something else. */
static bool
option_number(struct reader *r, struct bytes word, uint64_t min, uint64_t max,
    uint64_t *out)
{
	if (!reader_literal(r, word))
		return true;
	if (!reader_decimal(r, out) || *out < min || *out > max)
		return false;
	return reader_done(r) ||
	    (reader_literal(r, BYTES_LIT(" ")) && !reader_done(r));
}

bool
rule_witness_parse(struct bytes text, struct rule_witness *out)
{
	struct reader r = {text};

	*out = (struct rule_witness){0};
	if (!reader_until(&r, ' ', &out->name) || out->name.len == 0 ||
	    reader_done(&r) ||
	    !option_number(
		&r, BYTES_LIT("interval="), 50, 3600000, &out->interval_ms) ||
	    !option_number(&r, BYTES_LIT("timeout="), 1, 60, &out->timeout_s))
		return false;
	if (reader_literal(&r, BYTES_LIT("monitoring="))) {
		out->monitoring = r.rest;
		r.rest = (struct bytes){0};
		return out->monitoring.len > 0;
	}
	return reader_done(&r);
}

bool
rule_pattern_matches(struct bytes pattern, struct bytes name)
{
	if (bytes_equal(pattern, BYTES_LIT("*")))
		return true;
	if (name.len == 0)
		return false;
	if (pattern.len > 2 && pattern.ptr[pattern.len - 1] == '*')
		return name.len >= pattern.len &&
		    bytes_starts(
			name, bytes_slice(pattern, 0, pattern.len - 1));
	return bytes_equal(pattern, name);
}
