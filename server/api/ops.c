/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/crypto/key.h"
#include "schema/openapi.h"
#include "server/api/api.h"
#include "server/api/reply.h"

static void
begin(struct response *r, unsigned status, const char *type)
{
	reply_text(r, status, type);
	response_header(r, "Cache-Control", "no-store");
	response_header(r, "Access-Control-Allow-Origin", "*");
}

/* The process lives and answers; what it can do is /readyz' business. */
bool
api_healthz(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	struct response r;

	(void)api;
	(void)rest;
	(void)err;
	begin(&r, 200, "application/json");
	buf_put_str(&r.text, "{\"status\":\"SERVING\"}\n");
	exchange_reply(x, &r);
	return true;
}

bool
api_readyz(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	struct error why = {0};
	struct response r;

	(void)rest;
	(void)err;
	if (health_writable(api->health, &why) &&
	    witnessing_ready(api->witnessing, &why)) {
		begin(&r, 200, "text/plain; charset=utf-8");
		buf_put_str(&r.text, "ready\n");
	} else {
		begin(&r, 503, "text/plain; charset=utf-8");
		buf_printf(&r.text, "%s\n", error_reason_name(&why));
	}
	exchange_reply(x, &r);
	return true;
}

bool
api_openapi(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	struct response r;

	(void)api;
	(void)rest;
	(void)err;
	begin(&r, 200, "application/yaml");
	buf_put_str(&r.text, schema_openapi);
	exchange_reply(x, &r);
	return true;
}

bool
api_vkey(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	struct response r;

	(void)rest;
	(void)err;
	begin(&r, 200, "text/plain; charset=utf-8");
	vkey_format(&api->vkey, &r.text);
	buf_put_u8(&r.text, '\n');
	exchange_reply(x, &r);
	return true;
}

static void
put_key(const struct vkey *vkey, struct buf *out)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	bool ed25519 = vkey->type == NOTE_ED25519;
	struct bytes key = bytes_of(vkey->key, vkey->key_len);

	if (ed25519)
		ed25519_spki_put(&spki, key);
	else
		buf_put(&spki, key);
	buf_put_str(out, "\"publicKey\":{\"rawBytes\":\"");
	base64_put(out, buf_bytes(&spki));
	buf_printf(out,
	    "\",\"keyDetails\":\"%s\",\"validFor\":{\"start\":"
	    "\"1970-01-01T00:00:00Z\"}}",
	    ed25519 ? "PKIX_ED25519" : "PKIX_ECDSA_P256_SHA_256");
}

static void
put_log(const struct vkey *vkey, const char *url, struct buf *out)
{
	buf_put_str(out, "{\"baseUrl\":");
	json_put_string(out, bytes_str(url));
	buf_put_str(out, ",\"hashAlgorithm\":\"SHA2_256\",");
	put_key(vkey, out);
	buf_put_str(out, ",\"logId\":{\"keyId\":\"");
	base64_put(out, hash_bytes(&vkey->log_id));
	buf_put_str(out, "\"}}");
}

/* Clients hold a log's origin against the host of its address: a former log is
 * shown where its name says it was. */
static bool
put_former(const char *text, struct buf *out, struct error *err)
{
	AUTO(buf) url = BUF_INIT(NOTE_NAME_MAX + 16);
	struct vkey vkey;

	if (!vkey_parse(bytes_str(text), &vkey, err))
		return false;
	buf_printf(&url, "https://%s", vkey.name);
	buf_put_u8(&url, '\0');
	if (!buf_ok(&url, err))
		return false;
	buf_put_u8(out, ',');
	put_log(&vkey, (const char *)url.ptr, out);
	return true;
}

/* Sigstore's TrustedRoot, with this log and those that it follows. */
bool
api_trusted_root(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	struct response r;

	(void)rest;
	begin(&r, 200, "application/json");
	buf_put_str(&r.text,
	    "{\"mediaType\":\"application/vnd.dev.sigstore.trustedroot"
	    "+json;version=0.1\",\"tlogs\":[");
	put_log(&api->vkey, api->url, &r.text);
	for (const char *const *f = api->former; f && *f; f++)
		if (!put_former(*f, &r.text, err)) {
			response_release(&r);
			return false;
		}
	buf_put_str(&r.text,
	    "],\"certificateAuthorities\":[],\"ctlogs\":[],"
	    "\"timestampAuthorities\":[]}\n");
	exchange_reply(x, &r);
	return true;
}

/* Sigstore's SigningConfig v0.2, with this log alone. */
bool
api_signing_config(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	struct response r;

	(void)rest;
	(void)err;
	begin(&r, 200, "application/json");
	buf_put_str(&r.text,
	    "{\"mediaType\":\"application/vnd.dev.sigstore.signingconfig"
	    ".v0.2+json\",\"caUrls\":[],\"oidcUrls\":[],\"rekorTlogUrls\":"
	    "[{\"url\":");
	json_put_string(&r.text, bytes_str(api->url));
	buf_put_str(&r.text,
	    ",\"majorApiVersion\":2,\"validFor\":{\"start\":"
	    "\"1970-01-01T00:00:00Z\"},\"operator\":");
	json_put_string(&r.text, vkey_name(&api->vkey));
	buf_put_str(&r.text,
	    "}],\"rekorTlogConfig\":{\"selector\":\"ANY\"},\"tsaUrls\":[],"
	    "\"tsaConfig\":{\"selector\":\"ANY\"}}\n");
	exchange_reply(x, &r);
	return true;
}
