/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness/keeper_message.h"

#include "core/base/cleanup.h"
#include "core/base/reader.h"

static bool
syntax(struct error *err)
{
	return error_set(err, ERR_SYNTAX, "keeper: malformed message");
}

void
keeper_answer_format(const struct cosigner_answer *a, struct buf *out)
{
	buf_put_u16(out, (uint16_t)a->status);
	buf_put_u8(out, (uint8_t)a->row);
	buf_put_u64(out, a->size);
	buf_put_u64(out, a->time);
	buf_put_u64(out, a->retry_s);
	buf_put(out, hash_bytes(&a->log));
	buf_put(out, buf_bytes(&a->text));
}

bool
keeper_answer_parse(
    struct bytes in, struct cosigner_answer *out, struct error *err)
{
	struct reader r = {in};
	struct bytes log;
	uint16_t status;
	uint8_t row;

	*out = (struct cosigner_answer){.text = BUF_INIT(COSIGNER_TEXT_MAX)};
	if (!reader_u16(&r, &status) || !reader_u8(&r, &row) ||
	    !reader_u64(&r, &out->size) || !reader_u64(&r, &out->time) ||
	    !reader_u64(&r, &out->retry_s) ||
	    !reader_bytes(&r, HASH_LEN, &log) || status < 200 || status > 599 ||
	    row >= JUDGE_ROWS)
		return syntax(err);
	out->status = status;
	out->row = (enum judge_row)row;
	memcpy(out->log.b, log.ptr, HASH_LEN);
	buf_put(&out->text, r.rest);
	return buf_ok(&out->text, err);
}

void
keeper_hello_format(const struct keeper_hello *hello, struct buf *out)
{
	AUTO(buf) vkey = BUF_INIT(UINT16_MAX);

	vkey_format(&hello->vkey, &vkey);
	if (vkey.failed)
		out->failed = true;
	buf_put_u8(out, 0);
	buf_put_u16(out, (uint16_t)vkey.len);
	buf_put(out, buf_bytes(&vkey));
	buf_put_str(out, hello->sandbox);
}

void
keeper_failure_format(const struct error *why, struct buf *out)
{
	buf_put_u8(out, (uint8_t)(why->code ? why->code : ERR_INTERNAL));
	buf_put_str(out, why->text);
}

static bool
failure(struct reader *r, uint8_t code, struct error *err)
{
	char text[ERROR_TEXT_MAX];
	size_t n = r->rest.len < sizeof(text) ? r->rest.len : sizeof(text) - 1;

	if (code > ERR_INTERNAL)
		return syntax(err);
	if (n > 0)
		memcpy(text, r->rest.ptr, n);
	text[n] = '\0';
	return error_set(err, (enum error_code)code, "%s", text);
}

bool
keeper_hello_parse(struct bytes in, struct keeper_hello *out, struct error *err)
{
	struct reader r = {in};
	struct bytes vkey;
	uint16_t len;
	uint8_t code;

	*out = (struct keeper_hello){0};
	if (!reader_u8(&r, &code))
		return syntax(err);
	if (code != 0)
		return failure(&r, code, err);
	if (!reader_u16(&r, &len) || !reader_bytes(&r, len, &vkey) ||
	    r.rest.len >= sizeof(out->sandbox))
		return syntax(err);
	if (r.rest.len > 0)
		memcpy(out->sandbox, r.rest.ptr, r.rest.len);
	return vkey_parse(vkey, &out->vkey, err);
}
