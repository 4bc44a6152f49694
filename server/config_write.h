/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_CONFIG_WRITE_H
#define MTLOG_SERVER_CONFIG_WRITE_H

#include <stdio.h>

#include "server/config.h"

/* The file of a new log, and what is told about the keys. */

/*
 * config_write_default writes the commented file for a new log: every key with
 * its help and range; what differs from the default is set. Loaded from the
 * same folder it gives an equal configuration. ERR_CONFLICT, ERR_IO.
 */
bool config_write_default(
    const char *path, const struct config *c, struct error *err) MUST_USE;

/* config_key tells the n-th key's name, default and help; false at the end. */
bool config_key(
    size_t n, const char **name, const char **fallback, const char **help);

/* config_own_file is the name of the file that a path key names, if that file
 * is in the log's folder itself, else NULL. */
const char *config_own_file(const struct config *c, const char *key);

/*
 * config_print_keys prints a line for each key, columns by tabs: name, kind,
 * default ("-": none), range or choices ("-": any), "reload" or "restart",
 * "once" or "repeatable", help.
 */
void config_print_keys(FILE *out);

#endif
