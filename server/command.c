/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command.h"

#include <stdlib.h>

static bool
add_pair(struct arguments *out, const char *name, size_t name_len,
    const char *value, struct error *err)
{
	char *pair = NULL;

	if (out->flag_count == COMMAND_FLAGS_MAX)
		return error_set(err, ERR_USAGE, "too many options");
	if (asprintf(&pair, "%.*s=%s", (int)name_len, name, value) < 0)
		return error_set(err, ERR_INTERNAL, "out of memory");
	out->flags[out->flag_count++] = pair;
	return true;
}

/* The place of an option in the command's own list; -1 if it is not there. */
static int
own_option(
    const struct arguments *a, const char *name, size_t len, bool *wants_value)
{
	for (int i = 0; a->own && a->own[i]; i++) {
		size_t n = strlen(a->own[i]);

		*wants_value = a->own[i][n - 1] == '=';
		if (*wants_value)
			n--;
		if (n == len && strncmp(a->own[i], name, len) == 0)
			return i;
	}
	return -1;
}

/* One option; `*used` says how many words it took. */
static bool
read_option(
    struct arguments *out, char **argv, int left, int *used, struct error *err)
{
	const char *name = argv[0] + 2, *value = strchr(name, '=');
	size_t len = value ? (size_t)(value - name) : strlen(name);
	bool wants_value = true;
	int own = own_option(out, name, len, &wants_value);

	*used = 1;
	if (own >= 0 && !wants_value) {
		if (value)
			return error_set(err, ERR_USAGE,
			    "--%.*s takes no value", (int)len, name);
		out->values[own] = "";
		return true;
	}
	if (value) {
		value++;
	} else if (left < 2) {
		return error_set(
		    err, ERR_USAGE, "--%.*s wants a value", (int)len, name);
	} else {
		value = argv[1];
		*used = 2;
	}
	if (own >= 0)
		out->values[own] = value;
	else if (len == 3 && strncmp(name, "dir", 3) == 0)
		out->dir = value;
	else if (len == 6 && strncmp(name, "config", 6) == 0)
		out->config = value;
	else
		return add_pair(out, name, len, value, err);
	return true;
}

bool
arguments_read(int argc, char **argv, const char *const *own,
    struct arguments *out, struct error *err)
{
	int used;

	*out = (struct arguments){.own = own};
	for (int i = 1; i < argc; i += used) {
		if (strncmp(argv[i], "--", 2) != 0 || !argv[i][2])
			return error_set(err, ERR_USAGE,
			    "\"%s\" is not an option; see mtlogd %s --help",
			    argv[i], argv[0]);
		if (!read_option(out, argv + i, argc - i, &used, err))
			return false;
	}
	if (!out->dir)
		return error_set(err, ERR_USAGE,
		    "--dir DIR is missing: the folder of the log");
	return true;
}

void
arguments_release(struct arguments *a)
{
	for (size_t i = 0; i < a->flag_count; i++)
		free((void *)(uintptr_t)a->flags[i]);
	a->flag_count = 0;
}

const char *
arguments_value(const struct arguments *a, const char *name)
{
	bool wants_value;
	int i = own_option(a, name, strlen(name), &wants_value);

	return i < 0 ? NULL : a->values[i];
}

bool
command_config(const struct arguments *a, struct config *out, struct error *err)
{
	if (!config_load(a->dir, a->config, a->flags, out, err))
		return err->code == ERR_NOTFOUND
		    ? error_prefix(err,
			  "%s is not the folder of a log (mtlogd init makes "
			  "one)",
			  a->dir)
		    : false;
	log_setup(
	    (enum log_format)out->log_format, (enum log_level)out->log_level);
	return true;
}
