/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "core/tlog/note.h"

#define VKEY_MAX_LEN 4096 /* of the text; an ML-DSA-44 key takes 1,752 */

static bool
syntax(struct error *err, const char *what)
{
	return error_set(err, ERR_SYNTAX, "vkey: %s", what);
}

/*
 * The ID is SHA-256(name || "\n" || type || key), but for ECDSA keys, where it
 * is the hash of the SPKI alone: the name is not in it.
 */
static bool
id_compute(struct vkey *v, struct error *err)
{
	AUTO(buf) in = BUF_INIT(NOTE_NAME_MAX + 2 + NOTE_KEY_MAX);
	AUTO(hasher) h = {0};

	if (v->type != NOTE_ECDSA) {
		buf_put(&in, vkey_name(v));
		buf_put_u8(&in, '\n');
		buf_put_u8(&in, (uint8_t)v->type);
	}
	buf_put(&in, bytes_of(v->key, v->key_len));
	if (!buf_ok(&in, err) || !hasher_open(&h, err))
		return false;
	sha256(&h, buf_bytes(&in), &v->log_id);
	v->key_id = (uint32_t)v->log_id.b[0] << 24 |
	    (uint32_t)v->log_id.b[1] << 16 | (uint32_t)v->log_id.b[2] << 8 |
	    v->log_id.b[3];
	return hasher_ok(&h, err);
}

static bool
key_form(enum note_type type, struct bytes key, struct error *err)
{
	struct public_key public;

	switch (type) {
	case NOTE_ED25519:
	case NOTE_COSIGNATURE:
		return key.len == 32 ||
		    syntax(err, "an Ed25519 key has 32 bytes");
	case NOTE_MLDSA44:
		return key.len == NOTE_KEY_MAX ||
		    syntax(err, "an ML-DSA-44 key has 1312 bytes");
	case NOTE_ECDSA:
		if (!public_key_parse(key, &public, err))
			return error_prefix(err, "vkey");
		return public.algorithm == KEY_ECDSA_P256 ||
		    public.algorithm == KEY_ECDSA_P384 ||
		    public.algorithm == KEY_ECDSA_P521 ||
		    syntax(err, "type 2 wants an ECDSA key");
	}
	return syntax(err, "unknown signature type");
}

bool
vkey_init(struct vkey *out, struct bytes name, enum note_type type,
    struct bytes key, struct error *err)
{
	*out = (struct vkey){.type = type};
	if (!note_name_valid(name))
		return syntax(err,
		    "the name is empty, too long, or has white space, control "
		    "characters or a plus sign");
	if (!key_form(type, key, err))
		return false;
	memcpy(out->name, name.ptr, name.len);
	out->name_len = name.len;
	memcpy(out->key, key.ptr, key.len);
	out->key_len = key.len;
	return id_compute(out, err);
}

bool
vkey_parse(struct bytes text, struct vkey *out, struct error *err)
{
	AUTO(buf) raw = BUF_INIT(1 + NOTE_KEY_MAX);
	struct reader r = {text};
	struct bytes name, hex;
	uint8_t id[4];

	if (text.len > VKEY_MAX_LEN)
		return error_set(err, ERR_LIMIT,
		    "vkey: %zu bytes; at most %d are read", text.len,
		    VKEY_MAX_LEN);
	/* The base64 may hold further plus signs. */
	if (!reader_until(&r, '+', &name) || !reader_until(&r, '+', &hex))
		return syntax(err, "not of the form name+id+key");
	if (!hex_decode(hex, id, sizeof(id)))
		return syntax(err, "the key ID is not 8 lower-case hex digits");
	if (!base64_decode(r.rest, &raw) || raw.len < 2)
		return syntax(err, "malformed base64 of the key");
	if (!vkey_init(out, name, (enum note_type)raw.ptr[0],
		bytes_of(raw.ptr + 1, raw.len - 1), err))
		return false;
	if (memcmp(id, out->log_id.b, sizeof(id)) != 0)
		return syntax(err, "the key ID does not match name and key");
	return true;
}

static bool
key_of(const struct vkey *v, struct buf *spki, struct public_key *out,
    struct error *err)
{
	struct bytes key = bytes_of(v->key, v->key_len);

	if (v->type == NOTE_ECDSA)
		return public_key_parse(key, out, err);
	ed25519_spki_put(spki, key);
	return buf_ok(spki, err) && public_key_parse(buf_bytes(spki), out, err);
}

bool
vkey_verify(const struct vkey *v, struct key_verifier *verifier,
    struct bytes message, struct bytes signature, struct error *err)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	struct public_key public;

	if (v->type != NOTE_ED25519 && v->type != NOTE_ECDSA &&
	    v->type != NOTE_COSIGNATURE)
		return error_set(
		    err, ERR_USAGE, "the key %s is of another type", v->name);
	return key_of(v, &spki, &public, err) &&
	    key_verify_message(verifier, &public, message, signature, err);
}

void
vkey_format(const struct vkey *v, struct buf *out)
{
	AUTO(buf) raw = BUF_INIT(1 + NOTE_KEY_MAX);

	buf_put(out, vkey_name(v));
	buf_printf(out, "+%08x+", v->key_id);
	buf_put_u8(&raw, (uint8_t)v->type);
	buf_put(&raw, bytes_of(v->key, v->key_len));
	base64_put(out, buf_bytes(&raw));
}
