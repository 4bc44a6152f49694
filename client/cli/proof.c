/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>

#include "client/cli/cli.h"
#include "core/base/cleanup.h"
#include "core/tlog/tlog_proof.h"
#include "io/file.h"

#define PROOF_LIMIT 65536

/* Whether `proof` shows that the submission in `path` is in the log. */
static bool
verify(const char *path, const char *proof, const struct vkey *log,
    struct error *err)
{
	AUTO(buf) json = BUF_INIT(ENTRY_REQUEST_MAX);
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(buf) text = BUF_INIT(PROOF_LIMIT);
	AUTO(hasher) h = {0};
	AUTO(entry) e = {0};
	struct key_verifier *v = key_verifier_open(err);
	struct checkpoint head;
	struct tlog_proof p;
	struct hash hash;
	bool ok = v && hasher_open(&h, err) &&
	    cli_submission(path, &json, &leaf, err) &&
	    entry_parse(buf_bytes(&leaf), &e, err) &&
	    entry_verify(&e, v, err) && file_read(proof, &text, err) &&
	    tlog_proof_parse(buf_bytes(&text), &p, err);

	if (ok) {
		merkle_leaf(&h, buf_bytes(&leaf), &hash);
		ok = tlog_proof_verify(&p, &hash, log, &h, v, &head, err);
	}
	if (ok)
		(void)printf("%s is entry %llu of %s (tree of %llu)\n", path,
		    (unsigned long long)p.index, log->name,
		    (unsigned long long)head.size);
	key_verifier_close(v);
	return ok;
}

int
cli_proof(int argc, char **argv, struct error *err)
{
	static const struct option longs[] = {
	    {"vkey", required_argument, NULL, 'v'},
	    {"submission", required_argument, NULL, 's'},
	    {0},
	};
	const char *vkey = NULL, *submission = NULL;
	struct vkey log;
	int c;

	if (argc < 2 || strcmp(argv[1], "verify") != 0) {
		(void)error_set(err, ERR_USAGE, "say: mtlog proof verify …");
		return -1;
	}
	optind = 2;
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'v')
			vkey = optarg;
		else if (c == 's')
			submission = optarg;
		else
			return CLI_USAGE;
	}
	if (!submission || argc - optind != 1)
		(void)error_set(err, ERR_USAGE,
		    "--submission FILE and one PROOF are needed");
	else if (cli_log_key(vkey, &log, err) &&
	    verify(submission, argv[optind], &log, err))
		return CLI_OK;
	return -1;
}
