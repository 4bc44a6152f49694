/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/scan_fork.h"

#include <stdio.h>

#include "core/tlog/evidence.h"
#include "io/file.h"

bool
scan_fork_write(const char *dir, const struct vkey *key,
    const struct scan_head *pin, const struct scan_head *head,
    struct tiles *tiles, char **path, struct error *err)
{
	bool back = head->size < pin->size;
	AUTO(buf) text = BUF_INIT(EVIDENCE_MAX_LEN);
	struct evidence e = {.key = *key,
	    .smaller = back ? head->note : pin->note,
	    .larger = back ? pin->note : head->note};
	struct node_reader nodes = tiles_nodes(tiles);
	struct key_verifier *verifier = key_verifier_open(err);
	AUTO(hasher) h = {0};
	bool ok;

	*path = NULL;
	ok = verifier && hasher_open(&h, err) &&
	    evidence_make(&e, &nodes, &h, verifier, &text, err);
	key_verifier_close(verifier);
	if (!ok)
		return false;
	if (asprintf(path, "%s/fork-%llu-%llu.evidence", dir,
		(unsigned long long)pin->size,
		(unsigned long long)head->size) < 0) {
		*path = NULL;
		return error_set(err, ERR_INTERNAL, "out of memory");
	}
	return file_write(*path, buf_bytes(&text), 0644, err);
}
