/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/entry_text.h"

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/identity/certificate.h"
#include "core/verify/verdict.h"

const char *
cli_digest_name(enum digest_algorithm algorithm)
{
	return algorithm == DIGEST_SHA256 ? "sha256"
	    : algorithm == DIGEST_SHA384  ? "sha384"
					  : "sha512";
}

void
cli_entry_names(const struct entry *e, bool json, const char *before,
    const char *behind, struct buf *out)
{
	static const char *const kinds[] = {
	    [CERTIFICATE_EMAIL] = "email",
	    [CERTIFICATE_URI] = "uri",
	    [CERTIFICATE_DNS] = "dns",
	    [CERTIFICATE_OTHER] = "other",
	};
	struct error ignored = {0};
	struct certificate c;

	if (!e->is_certificate || !certificate_parse(e->verifier, &c, &ignored))
		return;
	for (size_t i = 0; i < c.name_count; i++) {
		AUTO(buf) name = BUF_INIT(4 * CERTIFICATE_MAX_LEN);

		buf_printf(&name, "%s:", kinds[c.names[i].kind]);
		escaped_put(&name, c.names[i].value);
		if (json) {
			buf_put_str(out, i > 0 ? "," : "");
			json_put_string(out, buf_bytes(&name));
			continue;
		}
		buf_put_str(out, before);
		buf_put(out, buf_bytes(&name));
		buf_put_str(out, behind);
	}
}
