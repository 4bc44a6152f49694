/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "client/cli/cli.h"
#include "core/base/cleanup.h"
#include "core/base/nearest.h"
#include "core/base/reader.h"

static bool
unknown_option(const struct cli_verb *verb, const char *word, size_t len,
    struct error *err)
{
	const char *names[CLI_MAX_OPTIONS + 2];
	const char *near;
	size_t n = 0;

	for (; verb->options && verb->options[n].name; n++)
		names[n] = verb->options[n].name;
	names[n++] = "--help";
	names[n] = NULL;
	near = nearest_word(bytes_of(word, len), names);
	return error_set(err, ERR_USAGE,
	    "unknown option %.*s%s%s; see mtlog %s --help", (int)len, word,
	    near ? "; did you mean " : "", near ? near : "", verb->name);
}

static bool
append(const char ***list, size_t *count, const char *word, struct error *err)
{
	const char **longer = realloc(*list, (*count + 2) * sizeof(*longer));

	if (!longer)
		return error_set(err, ERR_INTERNAL, "out of memory");
	longer[(*count)++] = word;
	longer[*count] = NULL;
	*list = longer;
	return true;
}

/* One option at argv[*i]; moves `*i` past its value. */
static bool
take_option(
    struct cli_args *out, int argc, char **argv, int *i, struct error *err)
{
	const struct cli_verb *verb = out->verb;
	const char *word = argv[*i], *value = strchr(word, '=');
	size_t len = value ? (size_t)(value - word) : strlen(word), n = 0;
	const struct cli_option *o;

	while (verb->options && verb->options[n].name &&
	    (strlen(verb->options[n].name) != len ||
		strncmp(verb->options[n].name, word, len) != 0))
		n++;
	if (!verb->options || !verb->options[n].name)
		return unknown_option(verb, word, len, err);
	o = &verb->options[n];
	if (!o->argument && value)
		return error_set(err, ERR_USAGE, "%s takes no value", o->name);
	if (o->argument && !value && *i + 1 >= argc)
		return error_set(
		    err, ERR_USAGE, "%s needs %s", o->name, o->argument);
	if (out->counts[n] > 0 && !o->repeats)
		return error_set(err, ERR_USAGE, "%s is there twice", o->name);
	if (value)
		value++;
	else if (o->argument)
		value = argv[++*i];
	return append(
	    &out->values[n], &out->counts[n], value ? value : "", err);
}

bool
cli_parse(const struct cli_verb *verb, int argc, char **argv,
    struct cli_args *out, struct error *err)
{
	bool options = !verb->foreign;

	*out = (struct cli_args){.verb = verb};
	for (int i = 0; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
			continue;
		}
		if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
			if (!take_option(out, argc, argv, &i, err))
				return false;
			continue;
		}
		if (!append(&out->operands, &out->operand_count, argv[i], err))
			return false;
	}
	return true;
}

void
cli_args_release(struct cli_args *a)
{
	for (size_t i = 0; i < CLI_MAX_OPTIONS; i++)
		free(a->values[i]);
	free(a->operands);
	*a = (struct cli_args){0};
}

const char *const *
cli_values(const struct cli_args *a, const char *name)
{
	for (size_t i = 0; a->verb->options && a->verb->options[i].name; i++)
		if (strcmp(a->verb->options[i].name, name) == 0)
			return (const char *const *)a->values[i];
	/* A verb that asks for what it does not have is a defect. */
	abort();
}

const char *
cli_value(const struct cli_args *a, const char *name)
{
	const char *const *all = cli_values(a, name);

	return all ? all[0] : NULL;
}

bool
cli_flag(const struct cli_args *a, const char *name)
{
	return cli_values(a, name) != NULL;
}

const char *
cli_need(const struct cli_args *a, const char *name, struct error *err)
{
	const char *value = cli_value(a, name);

	if (!value)
		(void)error_set(err, ERR_USAGE,
		    "%s is missing; see mtlog %s --help", name, a->verb->name);
	return value;
}

bool
cli_number(const struct cli_args *a, const char *name, uint64_t otherwise,
    uint64_t *out, struct error *err)
{
	const char *value = cli_value(a, name);

	*out = otherwise;
	return !value || decimal_parse(bytes_str(value), out) ||
	    error_set(err, ERR_USAGE, "%s %s is no number", name, value);
}

int
cli_run_word(struct cli_args *a, cli_word_run *const *runs, struct error *err)
{
	const char *word = a->operand_count > 0 ? a->operands[0] : "";
	const char *const *words = a->verb->words;
	AUTO(buf) list = BUF_INIT(ERROR_TEXT_MAX);
	const char *near;

	for (size_t i = 0; words[i]; i++) {
		if (strcmp(word, words[i]) == 0)
			return runs[i](a, err);
		buf_printf(&list, "%s%s", i > 0 ? "|" : "", words[i]);
	}
	near = nearest_word(bytes_str(word), words);
	(void)error_set(err, ERR_USAGE, "say: mtlog %s %.*s%s%s%s",
	    a->verb->name, (int)list.len, (const char *)list.ptr,
	    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return -1;
}
