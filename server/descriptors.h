/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_DESCRIPTORS_H
#define MTLOG_SERVER_DESCRIPTORS_H

#include "server/config.h"

/* descriptors_raise asks the system for as many as the configuration's
 * connections need, and for the database and the rest; a line in the log says
 * when it gives fewer. */
void descriptors_raise(const struct config *c);

#endif
