/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/error.h"

#include <stdarg.h>
#include <stdio.h>

/* Drops the part of a character that the cut at the end left behind. */
static void
trim_cut_character(char *text, size_t size)
{
	size_t end = strlen(text);
	size_t start = end;
	size_t len = 1;

	if (end < size - 1)
		return;
	while (start > 0 && end - start < 3 &&
	    ((uint8_t)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return;
	start--;
	while (len < 4 && (uint8_t)text[start] << len & 0x80)
		len++;
	if (((uint8_t)text[start] & 0xc0) == 0xc0 && end - start < len)
		text[start] = '\0';
}

void
error_text(char *out, size_t size, const char *format, va_list ap)
{
	(void)vsnprintf(out, size, format, ap);
	trim_cut_character(out, size);
}

static void __attribute__((format(printf, 4, 0))) error_fill(struct error *err,
    enum error_code code, const char *reason, const char *format, va_list ap)
{
	if (err->code != ERR_NONE)
		return;
	err->code = code;
	err->reason = reason;
	error_text(err->text, sizeof(err->text), format, ap);
}

bool
error_set(struct error *err, enum error_code code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	error_fill(err, code, NULL, format, ap);
	va_end(ap);
	return false;
}

bool
error_reason(struct error *err, enum error_code code, const char *reason,
    const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	error_fill(err, code, reason, format, ap);
	va_end(ap);
	return false;
}

bool
error_prefix(struct error *err, const char *format, ...)
{
	char prefix[ERROR_TEXT_MAX];
	char old[ERROR_TEXT_MAX];
	va_list ap;
	size_t n;

	va_start(ap, format);
	(void)vsnprintf(prefix, sizeof(prefix), format, ap);
	va_end(ap);
	memcpy(old, err->text, sizeof(old));
	n = strlen(prefix);
	if (n + 2 >= sizeof(err->text))
		return false;
	memcpy(err->text, prefix, n);
	memcpy(err->text + n, ": ", 2);
	memcpy(err->text + n + 2, old, sizeof(err->text) - n - 2);
	err->text[sizeof(err->text) - 1] = '\0';
	trim_cut_character(err->text, sizeof(err->text));
	return false;
}

static const char *const code_names[] = {
    [ERR_NONE] = "none",
    [ERR_USAGE] = "usage",
    [ERR_LIMIT] = "limit",
    [ERR_SYNTAX] = "syntax",
    [ERR_BADSIG] = "bad-signature",
    [ERR_DENIED] = "denied",
    [ERR_NOTFOUND] = "not-found",
    [ERR_CONFLICT] = "conflict",
    [ERR_UNAVAILABLE] = "unavailable",
    [ERR_IO] = "io",
    [ERR_INTERNAL] = "internal",
};

const char *
error_code_name(enum error_code code)
{
	return code_names[code];
}

const char *
error_reason_name(const struct error *err)
{
	return err->reason ? err->reason : error_code_name(err->code);
}
