/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/verbs.h"
#include "core/base/cleanup.h"
#include "core/base/nearest.h"

#define SCRIPT_MAX (1u << 20)
#define CAPITALS   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* What can be written behind an option, by its argument's word. */
enum kind { KIND_FLAG, KIND_TEXT, KIND_FILE, KIND_FOLDER };

static enum kind
kind_of(const struct cli_option *o)
{
	static const char *const files[] = {"FILE", "PATH", "PEM", "VKEY"};
	static const char *const folders[] = {"DIR", "FOLDER"};

	if (!o->argument)
		return KIND_FLAG;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (strcmp(o->argument, folders[i]) == 0)
			return KIND_FOLDER;
	/* "PEM|URI" may be a file, too. */
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (strstr(o->argument, files[i]))
			return KIND_FILE;
	return KIND_TEXT;
}

/* Text of the command table between the quotes of a shell. */
static void
put_text(struct buf *out, const char *text, const char *escaped)
{
	for (; *text; text++) {
		if (strchr(escaped, *text))
			buf_put_u8(out, '\\');
		buf_put_u8(out, (uint8_t)*text);
	}
}

static void
put_verbs(struct buf *out)
{
	for (size_t i = 0; cli_verbs[i]; i++)
		buf_printf(out, "%s%s", i ? " " : "", cli_verbs[i]->name);
}

/* What a verb's first operand may be; for help the verbs, too. */
static void
put_words(struct buf *out, const struct cli_verb *verb)
{
	for (size_t i = 0; verb->words && verb->words[i]; i++)
		buf_printf(out, "%s%s", i ? " " : "", verb->words[i]);
	if (verb == &verb_help) {
		buf_put_u8(out, ' ');
		put_verbs(out);
	}
}

/* Whether files may stand behind the options, and the words if there are any:
 * help texts have them in capitals. */
static bool
takes_files(const struct cli_verb *verb)
{
	return verb != &verb_help && strpbrk(verb->arguments, CAPITALS);
}

static void
bash_options(struct buf *out, const struct cli_verb *verb, const char *list,
    bool all, enum kind kind)
{
	buf_printf(out, "\t\t%s='", list);
	for (size_t i = 0; verb->options && verb->options[i].name; i++)
		if (all || kind_of(&verb->options[i]) == kind)
			buf_printf(out, "%s ", verb->options[i].name);
	buf_printf(out, "%s'\n", all ? "--help" : "");
}

static void
bash(struct buf *out)
{
	buf_put_str(out,
	    "# bash completion for mtlog(1), made by: mtlog completion bash\n"
	    "# shellcheck shell=bash\n\n"
	    "_mtlog() {\n"
	    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} "
	    "prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	    "\tlocal options='' files='' folders='' texts='' words='' word\n"
	    "\tlocal operands=''\n"
	    "\tCOMPREPLY=()\n"
	    "\t# Bash takes --key=FILE for three words.\n"
	    "\tif [ \"$cur\" = '=' ]; then\n\t\tcur=''\n"
	    "\telif [ \"$prev\" = '=' ] && [ \"$COMP_CWORD\" -gt 2 ]; then\n"
	    "\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n\tfi\n"
	    "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	    "\t\tmapfile -t COMPREPLY < <(compgen -W '");
	put_verbs(out);
	buf_put_str(out,
	    " --help --version' -- \"$cur\")\n\t\treturn\n\tfi\n"
	    "\tcase ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; cli_verbs[i]; i++) {
		const struct cli_verb *verb = cli_verbs[i];

		buf_printf(out, "\t%s)\n", verb->name);
		bash_options(out, verb, "options", true, KIND_FLAG);
		bash_options(out, verb, "files", false, KIND_FILE);
		bash_options(out, verb, "folders", false, KIND_FOLDER);
		bash_options(out, verb, "texts", false, KIND_TEXT);
		buf_put_str(out, "\t\twords='");
		put_words(out, verb);
		buf_printf(out, "'\n\t\toperands='%s'\n\t\t;;\n",
		    takes_files(verb) ? "files" : "");
	}
	buf_put_str(out,
	    "\t*) return ;;\n\tesac\n"
	    "\tcase \" $texts \" in *\" $prev \"*) return ;; esac\n"
	    "\tcase \" $files \" in *\" $prev \"*) operands=files "
	    "words='' options='' ;; esac\n"
	    "\tcase \" $folders \" in *\" $prev \"*) operands=folders "
	    "words='' options='' ;; esac\n"
	    "\t# The first operand may be a word; what follows it is not.\n"
	    "\tfor word in \"${COMP_WORDS[@]:2:COMP_CWORD-2}\"; do\n"
	    "\t\tcase \" $words \" in *\" $word \"*) words='' ;; esac\n"
	    "\tdone\n"
	    "\tcase $cur in -*) words=$options operands='' ;; esac\n"
	    "\tif [ -n \"$words\" ]; then\n"
	    "\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	    "\t\treturn\n\tfi\n"
	    "\tcompopt -o filenames 2>/dev/null\n"
	    "\tcase $operands in\n"
	    "\tfiles) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
	    "\tfolders) mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
	    "\tesac\n}\n"
	    "complete -F _mtlog mtlog\n");
}

static bool
is_long(const struct cli_option *o)
{
	return o->name[1] == '-';
}

static void
zsh_option(struct buf *out, const struct cli_option *o)
{
	static const char *const actions[] = {
	    [KIND_TEXT] = ":",
	    [KIND_FILE] = ":_files",
	    [KIND_FOLDER] = ":_files -/",
	};

	buf_printf(out, " \\\n\t\t\t\"%s%s%s[", o->repeats ? "*" : "", o->name,
	    !o->argument     ? ""
		: is_long(o) ? "="
			     : "+");
	put_text(out, o->help, "\\\"`$[]");
	buf_put_str(out, "]");
	if (o->argument) {
		buf_put_str(out, ":");
		put_text(out, o->argument, "\\\"`$:");
		buf_put_str(out, actions[kind_of(o)]);
	}
	buf_put_str(out, "\"");
}

static void
zsh_verb(struct buf *out, const struct cli_verb *verb)
{
	buf_printf(
	    out, "\t%s)\n\t\t_arguments '--help[what it takes]'", verb->name);
	for (size_t i = 0; verb->options && verb->options[i].name; i++)
		zsh_option(out, &verb->options[i]);
	if (verb->words) {
		buf_put_str(out, " \\\n\t\t\t'1:word:(");
		put_words(out, verb);
		buf_put_str(out, ")'");
	}
	if (takes_files(verb))
		buf_put_str(out, " \\\n\t\t\t'*:file:_files'");
	buf_put_str(out, "\n\t\t;;\n");
}

static void
zsh(struct buf *out)
{
	buf_put_str(out,
	    "#compdef mtlog\n"
	    "# zsh completion for mtlog(1), made by: mtlog completion zsh\n\n"
	    "_mtlog() {\n"
	    "\tlocal -a verbs=(\n");
	for (size_t i = 0; cli_verbs[i]; i++) {
		buf_printf(out, "\t\t\"%s:", cli_verbs[i]->name);
		put_text(out, cli_verbs[i]->summary, "\\\"`$:");
		buf_put_str(out, "\"\n");
	}
	buf_put_str(out,
	    "\t)\n"
	    "\tif (( CURRENT == 2 )); then\n"
	    "\t\t_describe verb verbs\n"
	    "\t\t_arguments '--help[all verbs]' '--version[which it is]'\n"
	    "\t\treturn\n\tfi\n"
	    "\tshift words\n\t(( CURRENT-- ))\n"
	    "\tcase $words[1] in\n");
	for (size_t i = 0; cli_verbs[i]; i++)
		zsh_verb(out, cli_verbs[i]);
	buf_put_str(out, "\tesac\n}\n\n_mtlog \"$@\"\n");
}

static void
fish_option(
    struct buf *out, const struct cli_verb *verb, const struct cli_option *o)
{
	static const char *const values[] = {
	    [KIND_FLAG] = "",
	    [KIND_TEXT] = " -x",
	    [KIND_FILE] = " -r -F",
	    [KIND_FOLDER] = " -x -a '(__fish_complete_directories)'",
	};

	buf_printf(out, "complete -c mtlog -n '__mtlog_verb %s' %s%s%s -d '",
	    verb->name, is_long(o) ? "-l " : "-s ",
	    o->name + (is_long(o) ? 2 : 1), values[kind_of(o)]);
	put_text(out, o->help, "\\'");
	buf_put_str(out, "'\n");
}

static void
fish_verb(struct buf *out, const struct cli_verb *verb)
{
	buf_printf(
	    out, "complete -c mtlog -n __mtlog_first -a %s -d '", verb->name);
	put_text(out, verb->summary, "\\'");
	buf_put_str(out, "'\n");
	buf_printf(out,
	    "complete -c mtlog -n '__mtlog_verb %s' -l help -d 'what it "
	    "takes'\n",
	    verb->name);
	if (verb->words) {
		buf_printf(out, "complete -c mtlog -n '__mtlog_verb %s' -a '",
		    verb->name);
		put_words(out, verb);
		buf_put_str(out, "'\n");
	}
	if (takes_files(verb))
		buf_printf(out, "complete -c mtlog -n '__mtlog_verb %s' -F\n",
		    verb->name);
	for (size_t i = 0; verb->options && verb->options[i].name; i++)
		fish_option(out, verb, &verb->options[i]);
}

static void
fish(struct buf *out)
{
	buf_put_str(out,
	    "# fish completion for mtlog(1), made by: mtlog completion fish\n\n"
	    "function __mtlog_first\n"
	    "    test (count (commandline -opc)) -eq 1\n"
	    "end\n\n"
	    "function __mtlog_verb\n"
	    "    set -l words (commandline -opc)\n"
	    "    test (count $words) -gt 1; and test $words[2] = $argv[1]\n"
	    "end\n\n"
	    "complete -c mtlog -f\n"
	    "complete -c mtlog -n __mtlog_first -l help -d 'all verbs'\n"
	    "complete -c mtlog -n __mtlog_first -l version -d 'which it "
	    "is'\n");
	for (size_t i = 0; cli_verbs[i]; i++)
		fish_verb(out, cli_verbs[i]);
}

static const char *const words[] = {"bash", "zsh", "fish", NULL};

static int
run(struct cli_args *a, struct error *err)
{
	static void (*const shells[])(struct buf *) = {bash, zsh, fish};
	const char *word = a->operand_count == 1 ? a->operands[0] : "";
	AUTO(buf) out = BUF_INIT(SCRIPT_MAX);
	const char *near;

	for (size_t i = 0; words[i]; i++)
		if (strcmp(word, words[i]) == 0) {
			shells[i](&out);
			return buf_ok(&out, err) &&
				cli_print(buf_bytes(&out), err)
			    ? VERDICT_ACCEPTED
			    : -1;
		}
	near = nearest_word(bytes_str(word), words);
	(void)error_set(err, ERR_USAGE,
	    "say: mtlog completion bash|zsh|fish%s%s%s",
	    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return -1;
}

const struct cli_verb verb_completion = {
    .name = "completion",
    .arguments = "bash|zsh|fish",
    .summary = "Print the script that completes command lines in a shell",
    .details = "make install puts them in their places. Else, for bash:\n"
	       "eval \"$(mtlog completion bash)\".",
    .run = run,
    .words = words,
};
