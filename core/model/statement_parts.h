/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_MODEL_STATEMENT_PARTS_H
#define MTLOG_CORE_MODEL_STATEMENT_PARTS_H

#include "core/base/json_reader.h"
#include "core/model/statement.h"

/* What statement.c is made of; for no one else. */

#define STATEMENT_ARENA_MAX (64u << 20)
/* Subjects of a model_signing 0.2 statement: its files. */
#define STATEMENT_V02_SUBJECTS 500000

/* statement_subjects reads the array of subjects as `s->kind` has them. */
bool statement_subjects(struct json_reader *r, struct statement *s) MUST_USE;

/* statement_predicate reads the predicate of all kinds but models. */
bool statement_predicate(struct json_reader *r, struct statement *s) MUST_USE;

#endif
