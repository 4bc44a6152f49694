/* SPDX-License-Identifier: Apache-2.0 */
/* Input: lines, each a PKCS#11 URI. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/buf.h"
#include "core/base/cleanup.h"
#include "core/base/reader.h"
#include "core/crypto/pkcs11_uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

/* Appends an attribute with every byte of its value as %XX. */
static void
put(struct buf *out, const char *separator, const char *name, struct bytes v)
{
	if (v.len == 0)
		return;
	buf_printf(out, "%s%s=", separator, name);
	for (size_t i = 0; i < v.len; i++)
		buf_printf(out, "%%%02X", v.ptr[i]);
}

static void
format(const struct pkcs11_uri *u, struct buf *out)
{
	const char *first = "";

	buf_put_str(out, "pkcs11:");
	if (u->has_slot)
		buf_printf(out, "slot-id=%llu", (unsigned long long)u->slot);
	else
		buf_put_str(out, "type=private");
	first = ";";
	put(out, first, "token", u->token);
	put(out, first, "manufacturer", u->manufacturer);
	put(out, first, "serial", u->serial);
	put(out, first, "model", u->model);
	put(out, first, "object", u->object);
	put(out, first, "id", u->id);
	first = "?";
	put(out, first, "module-path", u->module_path);
	first = u->module_path.len > 0 ? "&" : "?";
	put(out, first, "module-name", u->module_name);
	first = u->module_path.len > 0 || u->module_name.len > 0 ? "&" : "?";
	put(out, first, "pin-source", u->pin_source);
}

/* What is written in another way reads as the same. */
static void
check(struct bytes line)
{
	AUTO(buf) text = BUF_INIT(4 * PKCS11_URI_MAX_LEN);
	struct pkcs11_uri u, again;
	struct error err = {0};

	if (!pkcs11_uri_parse(line, &u, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT ||
		    err.code == ERR_DENIED);
		return;
	}
	must(u.id.len <= 255 && u.token.len <= 32);
	must(u.module_path.len == 0 || u.module_path.ptr[0] == '/');
	must(u.pin_source.len == 0 || u.pin_source.ptr[0] == '/');
	format(&u, &text);
	must(buf_ok(&text, &err));
	if (text.len > PKCS11_URI_MAX_LEN)
		return;
	must(pkcs11_uri_parse(buf_bytes(&text), &again, &err));
	must(bytes_equal(again.token, u.token));
	must(bytes_equal(again.manufacturer, u.manufacturer));
	must(bytes_equal(again.serial, u.serial));
	must(bytes_equal(again.model, u.model));
	must(bytes_equal(again.object, u.object));
	must(bytes_equal(again.id, u.id));
	must(bytes_equal(again.module_path, u.module_path));
	must(bytes_equal(again.module_name, u.module_name));
	must(bytes_equal(again.pin_source, u.pin_source));
	must(again.has_slot == u.has_slot && again.slot == u.slot);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = {bytes_of(data, size)};
	struct bytes line;

	while (reader_line(&r, &line))
		check(line);
	check(r.rest);
	return 0;
}
