/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle_work.h"

#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/model/tle.h"

/* What the leaf names as verifier. */
static bool
find_verifier(struct bundle_work *b, struct bytes key, struct bytes *out,
    struct error *err)
{
	struct public_key parsed;
	struct error why = {0};

	if (b->bundle.material != BUNDLE_KEY) {
		*out = b->bundle.certificates[0];
		return certificate_key_parse(*out, &parsed, &why) ||
		    error_reason(
			err, why.code, "certificate-form", "%s", why.text);
	}
	if (key.len == 0)
		return error_reason(err, ERR_SYNTAX, "missing-key",
		    "the bundle names a key and has none: send it in the "
		    "header Mtlog-Public-Key, base64 of the "
		    "SubjectPublicKeyInfo");
	buf_init(&b->spki, SPKI_MAX_LEN);
	if (!base64_decode_lenient(key, &b->spki))
		return error_reason(err, ERR_SYNTAX, "bad-base64",
		    "the header Mtlog-Public-Key is not base64");
	*out = buf_bytes(&b->spki);
	return public_key_parse(*out, &parsed, &why) ||
	    error_reason(err, why.code, "key-form", "%s", why.text);
}

bool
bundle_work_parse(struct bundle_work *b, struct bytes json, struct bytes key,
    struct buf *leaf, struct entry *e, struct error *err)
{
	struct error why = {0};
	struct bytes verifier;

	if (!bundle_parse(json, &b->bundle, err) ||
	    !find_verifier(b, key, &verifier, err))
		return false;
	if (!bundle_leaf(&b->bundle, verifier, leaf, &why) ||
	    !entry_parse(buf_bytes(leaf), e, &why))
		return error_reason(
		    err, why.code, "malformed-bundle", "%s", why.text);
	return key_signature_check(e->key.algorithm, e->signature, &why) ||
	    error_reason(err, ERR_SYNTAX, "signature-form", "%s", why.text);
}

bool
bundle_work_of_request(struct bundle_work *b, struct bytes json,
    struct entry *e, bool *has, struct error *err)
{
	buf_init(&b->type, ENTRY_DSSE_TYPE_MAX);
	buf_init(&b->payload, ENTRY_REQUEST_MAX);
	if (!entry_request_parse_whole(json, e, &b->type, &b->payload, err))
		return false;
	b->of_request = true;
	b->bundle.envelope.payload_type = buf_bytes(&b->type);
	b->bundle.envelope.payload = buf_bytes(&b->payload);
	*has = bytes_equal(buf_bytes(&b->type), BYTES_LIT(DSSE_IN_TOTO));
	return true;
}

void
bundle_work_release(struct bundle_work *b)
{
	bundle_release(&b->bundle);
	buf_release(&b->spki);
	buf_release(&b->type);
	buf_release(&b->payload);
	enclosure_release(&b->enclosure);
	b->enclosed = false;
}

bool
bundle_work_enclose(struct bundle_work *b, struct hasher *h,
    const struct entry *e, struct error *err)
{
	const struct envelope *envelope = &b->bundle.envelope;

	if (b->enclosed)
		return true;
	b->enclosed = enclosure_make(h, envelope->payload_type,
	    envelope->payload, e, &b->enclosure, err);
	if (!b->enclosed)
		enclosure_release(&b->enclosure);
	return b->enclosed;
}

static bool
is_ours(struct bytes json, const struct vkey *log)
{
	AUTO(tle) t = {0};
	struct error ignored = {0};

	return tle_parse(json, &t, &ignored) &&
	    hash_equal(&t.log_id, &log->log_id);
}

/* What a client will find in `json` is what the log promises. */
static bool
check_completed(struct bytes json, struct bytes leaf, const struct vkey *log,
    struct hasher *h, struct key_verifier *v, struct error *err)
{
	struct bundle *again = calloc(1, sizeof(*again));
	AUTO(tle) t = {0};
	struct error why = {0};
	bool ok = again && bundle_parse(json, again, &why) &&
	    again->entry_count > 0 &&
	    tle_parse(again->entries[again->entry_count - 1], &t, &why) &&
	    tle_verify(&t, log, leaf, h, v, &why);

	if (again)
		bundle_release(again);
	free(again);
	return ok ||
	    error_reason(err, ERR_INTERNAL, "proof-failed",
		"the completed bundle does not verify: %s", why.text);
}

bool
bundle_work_complete(const struct bundle_work *b, struct bytes tle,
    struct bytes leaf, const struct vkey *log, struct hasher *h,
    struct key_verifier *v, struct buf *out, struct error *err)
{
	struct bundle *full = malloc(sizeof(*full));
	size_t at = out->len;
	bool fits;

	if (!full)
		return error_set(err, ERR_INTERNAL, "out of memory");
	*full = b->bundle; /* a view: nothing of it is released */
	full->entry_count = 0;
	for (size_t i = 0; i < b->bundle.entry_count; i++)
		if (!is_ours(b->bundle.entries[i], log))
			full->entries[full->entry_count++] =
			    b->bundle.entries[i];
	fits = full->entry_count < BUNDLE_MAX_ENTRIES;
	if (fits) {
		full->entries[full->entry_count++] = tle;
		bundle_format(full, out);
	}
	free(full);
	if (!fits)
		return error_reason(err, ERR_LIMIT, "too-many-entries",
		    "the bundle has %d log entries already",
		    BUNDLE_MAX_ENTRIES);
	return buf_ok(out, err) &&
	    check_completed(bytes_slice(buf_bytes(out), at, out->len), leaf,
		log, h, v, err);
}
