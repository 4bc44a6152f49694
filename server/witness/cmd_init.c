/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "io/file.h"
#include "server/witness/commands.h"
#include "server/witness/cosigner.h"

bool
witness_arguments(int argc, char **argv, const char *const *own,
    struct arguments *out, struct error *err)
{
	if (!arguments_read(argc, argv, own, out, err))
		return false;
	if (out->config || out->flag_count > 0)
		return error_set(err, ERR_USAGE,
		    "there is no option --%.*s; see mtlog-witness %s --help",
		    out->config ? 6 : (int)strcspn(out->flags[0], "="),
		    out->config ? "config" : out->flags[0], argv[0]);
	return true;
}

/* The address is part of the folder, as it is what others are told. */
static bool
make_listen(const char *dir, const char *listen, struct error *err)
{
	AUTO(buf) text = BUF_INIT(512);
	char *path = path_join(dir, WITNESS_LISTEN_FILE);
	bool ok;

	buf_put_str(&text, listen);
	buf_put_u8(&text, '\n');
	ok = path && buf_ok(&text, err) &&
	    file_create(path, buf_bytes(&text), 0644, err);
	free(path);
	return ok || error_set(err, ERR_INTERNAL, "out of memory");
}

static bool
make_witness(const struct arguments *a, struct error *err)
{
	AUTO(buf) text = BUF_INIT(4096);
	const char *name = arguments_value(a, "name");
	const char *listen = arguments_value(a, "listen");
	struct vkey vkey;

	if (!name)
		return error_set(err, ERR_USAGE,
		    "--name NAME is missing: what the witness is called, such "
		    "as witness.example.org/w1");
	if (!listen)
		listen = WITNESS_LISTEN;
	if (!strrchr(listen, ':'))
		return error_set(
		    err, ERR_USAGE, "--listen is ADDR:PORT, not %s", listen);
	if (!cosigner_init(a->dir, name, &vkey, err) ||
	    !make_listen(a->dir, listen, err))
		return false;
	vkey_format(&vkey, &text);
	buf_put_u8(&text, '\n');
	if (!buf_ok(&text, err))
		return false;
	(void)fprintf(stderr,
	    "The witness %s is ready in %s.\n"
	    "Name a log:    mtlog witness add-log --dir %s VKEY\n"
	    "Start it:      mtlog witness serve --dir %s\n"
	    "Hand out the line below: it is what others need to trust this "
	    "witness.\n",
	    name, a->dir, a->dir, a->dir);
	(void)fwrite(text.ptr, 1, text.len, stdout);
	return true;
}

int
witness_init(int argc, char **argv, struct error *err)
{
	static const char *const own[] = {"name=", "listen=", NULL};
	struct arguments a;
	bool ok = witness_arguments(argc, argv, own, &a, err) &&
	    make_witness(&a, err);

	arguments_release(&a);
	return ok ? 0 : -1;
}
