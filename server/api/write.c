/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api.h"
#include "server/api/reply.h"

/* Both answer later, from an admission worker. */

bool
api_submit(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	(void)rest;
	(void)err;
	admit_take(api->admit, x, false);
	return true;
}

bool
api_batch(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	(void)rest;
	(void)err;
	admit_take(api->admit, x, true);
	return true;
}
