/* SPDX-License-Identifier: Apache-2.0 */
#include "io/pkcs11_parts.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/file.h"

#define SLOTS_MAX 256
#define PATH_LEN  2048

/* A token that fits the URI. */
struct token {
	ck_slot_id_t slot;
	struct ck_token_info info;
	char label[sizeof(((struct ck_token_info *)0)->label) + 1];
};

bool
pkcs11_failed(struct error *err, const char *doing, ck_rv_t rv)
{
	switch (rv) {
	case CKR_PIN_INCORRECT:
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
		return error_reason(err, ERR_DENIED, "pin-wrong",
		    "the token does not take this PIN");
	case CKR_PIN_LOCKED:
		return error_reason(err, ERR_DENIED, "pin-locked",
		    "the token is locked: too many wrong PINs");
	case CKR_PIN_EXPIRED:
	case CKR_USER_PIN_NOT_INITIALIZED:
		return error_reason(err, ERR_DENIED, "pin-locked",
		    "the token wants its PIN set first");
	default:
		return error_set(err, ERR_IO,
		    "the PKCS#11 module failed to %s (CKR 0x%lx)", doing, rv);
	}
}

/* The path of the module, NUL-terminated. */
static bool
module_path(const struct pkcs11_uri *uri, char out[PATH_LEN], struct error *err)
{
	struct bytes path = uri->module_path, name = uri->module_name;
	int n = -1;

	if (path.len > 0)
		n = snprintf(out, PATH_LEN, "%.*s", (int)path.len,
		    (const char *)path.ptr);
	else if (name.len > 0)
		n = snprintf(out, PATH_LEN, "%s/%.*s.so", MTLOG_PKCS11_MODULES,
		    (int)name.len, (const char *)name.ptr);
	else
		return error_set(err, ERR_USAGE,
		    "the PKCS#11 URI names no module: end it with "
		    "?module-path=/path/of/module.so");
	return (n > 0 && n < PATH_LEN) ||
	    error_set(err, ERR_LIMIT, "the path of the module is too long");
}

static bool
load_module(struct pkcs11 *p, const char *path, struct error *err)
{
	struct ck_function_list *list = NULL;
	CK_C_GetFunctionList get;
	void *symbol;
	ck_rv_t rv;

	p->module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!p->module)
		return error_set(err, ERR_IO,
		    "the PKCS#11 module cannot be loaded: %s", dlerror());
	symbol = dlsym(p->module, "C_GetFunctionList");
	if (!symbol)
		return error_set(err, ERR_IO, "%s is no PKCS#11 module", path);
	/* POSIX says that this conversion works, C does not. */
	memcpy(&get, &symbol, sizeof(get));
	rv = get(&list);
	if (rv != CKR_OK || !list)
		return pkcs11_failed(err, "give its functions", rv);
	if (list->version.major != CRYPTOKI_VERSION_MAJOR)
		return error_set(err, ERR_IO,
		    "%s has PKCS#11 version %d, not 2", path,
		    list->version.major);
	p->f = list;
	return true;
}

static bool
initialize(struct pkcs11 *p, struct error *err)
{
	struct ck_c_initialize_args args = {.flags = CKF_OS_LOCKING_OK};
	ck_rv_t rv = p->f->C_Initialize(&args);

	p->initialized = rv == CKR_OK;
	return rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED ||
	    pkcs11_failed(err, "start", rv);
}

/* A field of CK_TOKEN_INFO, which is padded with spaces (some: with zeros). */
static struct bytes
field(const unsigned char *in, size_t len)
{
	while (len > 0 && (in[len - 1] == ' ' || in[len - 1] == 0))
		len--;
	return bytes_of(in, len);
}

static bool
fits(struct bytes wanted, const unsigned char *in, size_t len)
{
	return wanted.len == 0 || bytes_equal(wanted, field(in, len));
}

static bool
token_fits(const struct pkcs11_uri *uri, const struct token *t)
{
	const struct ck_token_info *i = &t->info;

	return (i->flags & CKF_TOKEN_INITIALIZED) &&
	    (!uri->has_slot || uri->slot == t->slot) &&
	    fits(uri->token, i->label, sizeof(i->label)) &&
	    fits(uri->manufacturer, i->manufacturer_id,
		sizeof(i->manufacturer_id)) &&
	    fits(uri->serial, i->serial_number, sizeof(i->serial_number)) &&
	    fits(uri->model, i->model, sizeof(i->model));
}

/* The token's name for people: printable ASCII. */
static void
name_token(struct token *t)
{
	struct bytes label = field(t->info.label, sizeof(t->info.label));

	for (size_t i = 0; i < label.len; i++) {
		uint8_t c = label.ptr[i];

		t->label[i] = c >= ' ' && c <= '~' ? (char)c : '?';
	}
	t->label[label.len] = 0;
}

static bool
find_token(struct pkcs11 *p, const struct pkcs11_uri *uri, struct token *out,
    struct error *err)
{
	ck_slot_id_t slots[SLOTS_MAX];
	unsigned long count = SLOTS_MAX;
	size_t found = 0;
	ck_rv_t rv = p->f->C_GetSlotList(1, slots, &count);

	if (rv != CKR_OK || count > SLOTS_MAX)
		return pkcs11_failed(err, "list its slots", rv);
	for (unsigned long i = 0; i < count; i++) {
		struct token t = {.slot = slots[i]};

		/* A token that was pulled out meanwhile is not this one. */
		if (p->f->C_GetTokenInfo(t.slot, &t.info) != CKR_OK ||
		    !token_fits(uri, &t))
			continue;
		*out = t;
		found++;
	}
	if (found == 0)
		return error_set(err, ERR_NOTFOUND,
		    "none of the module's %lu tokens fits the URI", count);
	if (found > 1)
		return error_set(err, ERR_CONFLICT,
		    "%zu tokens fit the URI; add serial= or slot-id=", found);
	name_token(out);
	return true;
}

/* Keeps the first line of the file as the PIN. */
static bool
read_pin(struct pkcs11 *p, struct bytes source, struct error *err)
{
	char path[PATH_LEN];
	const uint8_t *end;

	(void)snprintf(path, sizeof(path), "%.*s", (int)source.len,
	    (const char *)source.ptr);
	if (!file_read(path, &p->pin, err))
		return false;
	end = p->pin.len > 0 ? memchr(p->pin.ptr, '\n', p->pin.len) : NULL;
	if (end)
		p->pin.len = (size_t)(end - p->pin.ptr);
	return true;
}

static bool
get_pin(struct pkcs11 *p, const struct pkcs11_uri *uri, const struct token *t,
    const struct pkcs11_pin *pin, struct error *err)
{
	bool ok = true;

	p->keypad = (t->info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
	if (p->keypad)
		return true;
	if (t->info.flags & CKF_USER_PIN_LOCKED)
		return pkcs11_failed(err, "log in", CKR_PIN_LOCKED);
	buf_init(&p->pin, PKCS11_PIN_MAX);
	/* All at once: no copy stays behind in memory that grew. */
	if (!buf_reserve(&p->pin, PKCS11_PIN_MAX))
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (uri->pin_source.len > 0)
		ok = read_pin(p, uri->pin_source, err);
	else if (pin && pin->ask)
		ok = pin->ask(pin->arg, t->label, &p->pin, err);
	if (!ok || !buf_ok(&p->pin, err))
		return false;
	return p->pin.len > 0 ||
	    error_reason(err, ERR_DENIED, "pin-missing",
		"the token %s wants a PIN and none is given", t->label);
}

bool
pkcs11_login(struct pkcs11 *p, ck_user_type_t user, struct error *err)
{
	ck_rv_t rv = p->f->C_Login(p->session, user,
	    p->keypad ? NULL : p->pin.ptr, p->keypad ? 0 : p->pin.len);

	return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN ||
	    pkcs11_failed(err, "log in", rv);
}

static bool
open_session(struct pkcs11 *p, const struct pkcs11_uri *uri,
    const struct pkcs11_pin *pin, struct error *err)
{
	struct token t;
	ck_rv_t rv;

	if (!find_token(p, uri, &t, err))
		return false;
	rv = p->f->C_OpenSession(
	    t.slot, CKF_SERIAL_SESSION, NULL, NULL, &p->session);
	if (rv != CKR_OK)
		return pkcs11_failed(err, "open a session", rv);
	p->opened = true;
	if (!(t.info.flags & CKF_LOGIN_REQUIRED))
		return true;
	return get_pin(p, uri, &t, pin, err) && pkcs11_login(p, CKU_USER, err);
}

struct pkcs11 *
pkcs11_open(const struct pkcs11_uri *uri, const struct pkcs11_pin *pin,
    struct error *err)
{
	struct pkcs11 *p = calloc(1, sizeof(*p));
	char path[PATH_LEN];

	if (!p) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	if (module_path(uri, path, err) && load_module(p, path, err) &&
	    initialize(p, err) && open_session(p, uri, pin, err) &&
	    pkcs11_find_key(p, uri, err)) {
		if (!p->always_authenticate && p->pin.ptr)
			explicit_bzero(p->pin.ptr, p->pin.cap);
		return p;
	}
	pkcs11_close(p);
	return NULL;
}

/* The module stays loaded: some leave handlers behind that run at exit. */
void
pkcs11_close(struct pkcs11 *p)
{
	if (!p)
		return;
	if (p->opened)
		(void)p->f->C_CloseSession(p->session);
	if (p->initialized)
		(void)p->f->C_Finalize(NULL);
	if (p->pin.ptr)
		explicit_bzero(p->pin.ptr, p->pin.cap);
	buf_release(&p->pin);
	buf_release(&p->spki);
	free(p);
}
