/* SPDX-License-Identifier: Apache-2.0 */
#include "core/verify/verdict.h"

#include <stdio.h>

/* Texts of names, parties and files that a verdict keeps. */
#define STORAGE_MAX (16u << 20)

void
verdict_init(struct verdict *v)
{
	*v = (struct verdict){.code = VERDICT_INTERNAL, .reason = "internal"};
	arena_init(&v->storage, STORAGE_MAX);
}

void
verdict_release(struct verdict *v)
{
	arena_release(&v->storage);
}

void
verdict_refuse(struct verdict *v, const struct error *err)
{
	if (v->message[0] != '\0')
		return;
	v->code = verdict_code_of(err);
	v->reason = error_reason_name(err);
	/* A refusal without a word would help nobody. */
	(void)snprintf(v->message, sizeof(v->message), "%s",
	    err->text[0] ? err->text : "refused, and the cause is lost");
}
