/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api.h"
#include "server/api/reply.h"

/* All answer later, from an admission worker. */

bool
api_submit(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	(void)rest;
	(void)err;
	admit_take(api->admit, x, ADMIT_ONE);
	return true;
}

bool
api_batch(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	(void)rest;
	(void)err;
	admit_take(api->admit, x, ADMIT_BATCH);
	return true;
}

bool
api_bundle(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	(void)rest;
	(void)err;
	admit_take(api->admit, x, ADMIT_BUNDLE);
	return true;
}
