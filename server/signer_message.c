/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer_message.h"

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"

enum { REPLY_DONE = 0x11, REPLY_ERROR = 0x12, REPLY_HELLO = 0x13 };

/* The longest vkey: name, key ID, base64 of type and key. */
#define VKEY_TEXT_MAX (NOTE_NAME_MAX + 10 + BASE64_LEN(1 + NOTE_KEY_MAX))

/* Reasons are string literals on both sides; the number is the index. */
static const char *const reasons[] = {
    NULL,
    "log-frozen",
    "log-latched",
    "guard-io",
    "head-refused",
};
#define REASON_COUNT (sizeof(reasons) / sizeof(reasons[0]))

void
signer_request_format(const struct signer_request *r, struct buf *out)
{
	buf_put_u8(out, (uint8_t)r->verb);
	if (r->verb != SIGNER_SIGN)
		return;
	buf_put_u64(out, r->size);
	buf_put(out, hash_bytes(&r->root));
	buf_put_u64(out, r->store_identity);
	for (size_t i = 0; i < r->proof.len; i++)
		buf_put(out, hash_bytes(&r->proof.hashes[i]));
}

static bool
read_hash(struct reader *r, struct hash *out)
{
	struct bytes b;

	if (!reader_bytes(r, HASH_LEN, &b))
		return false;
	memcpy(out->b, b.ptr, HASH_LEN);
	return true;
}

static bool
read_sign(struct reader *r, struct signer_request *out)
{
	if (!reader_u64(r, &out->size) || !read_hash(r, &out->root) ||
	    !reader_u64(r, &out->store_identity))
		return false;
	while (!reader_done(r)) {
		if (out->proof.len == PROOF_MAX_HASHES ||
		    !read_hash(r, &out->proof.hashes[out->proof.len]))
			return false;
		out->proof.len++;
	}
	return true;
}

bool
signer_request_parse(
    struct bytes in, struct signer_request *out, struct error *err)
{
	struct reader r;
	uint8_t verb;
	bool ok = false;

	*out = (struct signer_request){0};
	reader_init(&r, in);
	if (reader_u8(&r, &verb)) {
		out->verb = (enum signer_verb)verb;
		if (verb == SIGNER_SIGN)
			ok = read_sign(&r, out);
		else if (verb == SIGNER_FREEZE)
			ok = reader_done(&r);
	}
	if (!ok)
		return error_set(err, ERR_SYNTAX, "signer: malformed request");
	return true;
}

static uint8_t
reason_index(const char *reason)
{
	for (uint8_t i = 1; reason && i < REASON_COUNT; i++)
		if (strcmp(reasons[i], reason) == 0)
			return i;
	return 0;
}

void
signer_reply_format(const struct signer_reply *r, struct buf *out)
{
	if (r->error.code == ERR_NONE) {
		buf_put_u8(out, REPLY_DONE);
		buf_put(out, r->note);
		return;
	}
	buf_put_u8(out, REPLY_ERROR);
	buf_put_u8(out, (uint8_t)r->error.code);
	buf_put_u8(out, reason_index(r->error.reason));
	buf_put(out, bytes_str(r->error.text));
}

/* Copies `in` as a string; false if it has a NUL or does not fit. */
static bool
text_copy(struct bytes in, char *out, size_t room)
{
	if (in.len >= room || (in.len > 0 && memchr(in.ptr, '\0', in.len)))
		return false;
	if (in.len > 0)
		memcpy(out, in.ptr, in.len);
	out[in.len] = '\0';
	return true;
}

static bool
read_error(struct reader *r, struct error *out)
{
	uint8_t code, reason;

	if (!reader_u8(r, &code) || code == ERR_NONE || code > ERR_INTERNAL ||
	    !reader_u8(r, &reason) || reason >= REASON_COUNT ||
	    !text_copy(r->rest, out->text, sizeof(out->text)))
		return false;
	out->code = (enum error_code)code;
	out->reason = reasons[reason];
	return true;
}

bool
signer_reply_parse(struct bytes in, struct signer_reply *out, struct error *err)
{
	struct reader r;
	uint8_t kind;
	bool ok = false;

	*out = (struct signer_reply){0};
	reader_init(&r, in);
	if (reader_u8(&r, &kind)) {
		if (kind == REPLY_DONE) {
			out->note = r.rest;
			ok = r.rest.len <= GUARD_NOTE_MAX;
		} else if (kind == REPLY_ERROR) {
			ok = read_error(&r, &out->error);
		}
	}
	if (!ok)
		return error_set(err, ERR_SYNTAX, "signer: malformed reply");
	return true;
}

static void
put_text(struct buf *out, struct bytes text)
{
	buf_put_u16(out, (uint16_t)text.len);
	buf_put(out, text);
}

static bool
read_text(struct reader *r, struct bytes *out)
{
	uint16_t len;

	return reader_u16(r, &len) && reader_bytes(r, len, out);
}

bool
signer_hello_format(struct hasher *h, const struct signer_hello *hello,
    struct buf *out, struct error *err)
{
	AUTO(buf) vkey = BUF_INIT(VKEY_TEXT_MAX);
	uint8_t slot[GUARD_SLOT_LEN];

	vkey_format(&hello->vkey, &vkey);
	if (!buf_ok(&vkey, err))
		return false;
	buf_put_u8(out, REPLY_HELLO);
	buf_put_u8(out, (uint8_t)hello->guard);
	put_text(out, buf_bytes(&vkey));
	put_text(out, bytes_str(hello->note_error));
	put_text(out, bytes_str(hello->sandbox));
	if (hello->state.generation != 0) {
		if (!guard_encode(h, &hello->state, slot, err))
			return false;
		buf_put(out, BYTES_OF(slot));
	}
	return buf_ok(out, err);
}

static bool
read_hello(struct hasher *h, struct reader *r, struct signer_hello *out,
    struct error *err)
{
	struct bytes vkey, note_error, sandbox;
	uint8_t guard;

	if (!reader_u8(r, &guard) || guard > SIGNER_GUARD_COPY ||
	    !read_text(r, &vkey) || !vkey_parse(vkey, &out->vkey, err) ||
	    !read_text(r, &note_error) ||
	    !text_copy(note_error, out->note_error, sizeof(out->note_error)) ||
	    !read_text(r, &sandbox) ||
	    !text_copy(sandbox, out->sandbox, sizeof(out->sandbox)))
		return false;
	out->guard = (enum signer_guard)guard;
	if (reader_done(r))
		return out->guard != SIGNER_GUARD_OK;
	return r->rest.len == GUARD_SLOT_LEN &&
	    guard_decode(h, r->rest.ptr, &out->state, err);
}

bool
signer_hello_parse(struct hasher *h, struct bytes in, struct signer_hello *out,
    struct error *err)
{
	struct reader r;
	uint8_t kind = 0;

	*out = (struct signer_hello){0};
	reader_init(&r, in);
	if (reader_u8(&r, &kind) && kind == REPLY_HELLO &&
	    read_hello(h, &r, out, err))
		return true;
	if (kind == REPLY_ERROR && read_error(&r, err))
		return false;
	return error_set(err, ERR_SYNTAX, "signer: malformed hello");
}
