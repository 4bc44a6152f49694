/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_SERVING_H
#define MTLOG_SERVER_SERVING_H

#include <sys/types.h>

#include "core/base/error.h"

#define SERVING_URL_MAX 200

/*
 * What a running server leaves for `mtlogd status`: serving.json in the
 * database folder, made at the start and removed at a clean end. A file whose
 * process is gone means: killed.
 */
struct serving {
	pid_t pid;
	char url[SERVING_URL_MAX];
	char metrics[SERVING_URL_MAX]; /* "" = none */
	char sandbox[100], signer_sandbox[100], config_reader_sandbox[100];
};

/* serving_address is the URL of a listener "ADDR:PORT", with the port that was
 * really bound. */
void serving_address(
    char out[SERVING_URL_MAX], const char *listen, unsigned port);

bool serving_write(
    const char *database, const struct serving *s, struct error *err) MUST_USE;
/* serving_read: ERR_NOTFOUND when no server has been started or it ended
 * cleanly. */
bool serving_read(const char *database, struct serving *out, struct error *err)
    MUST_USE;
void serving_remove(const char *database);

#endif
