#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each folder includes only what its layer may (ARCHITECTURE.md, "Layers").
. "$(dirname "$0")/common.sh"

# shellcheck disable=SC2016
faults=$(c_files core io server client | xargs awk '
BEGIN {
	# A folder, and what its files may include of the project.
	may["core/base"] = "core/base/"
	may["core/crypto"] = "core/base/ core/crypto/"
	may["core/tlog"] = "core/base/ core/crypto/ core/tlog/"
	may["core/identity"] = "core/base/ core/crypto/ core/tlog/ core/identity/"
	may["core/format"] = "core/base/ core/crypto/ core/format/"
	may["core/model"] = "core/base/ core/crypto/ core/tlog/ core/identity/ core/model/"
	may["core/policy"] = "core/"
	may["core/verify"] = "core/"
	may["io"] = "core/base/ core/crypto/ io/"
	may["client/lib"] = "core/ io/ client/lib/"
	may["client/cli"] = "core/ io/ client/"
	may["server"] = "core/ io/ server/ schema/"

	# A header from elsewhere, and the only files that may have it.
	only["microhttpd.h"] = "^(server/httpd.*\\.[ch]|bench/bare\\.c)$"
	only["sqlite3.h"] = "^server/store/"
	only["libpq-fe.h"] = "^server/store/"
	only["curl/curl.h"] = "^io/http_curl\\.h$"
	only["seccomp.h"] = "^io/sandbox_seccomp\\.c$"
	only["linux/landlock.h"] = "^io/sandbox_landlock\\.c$"
	only["sodium.h"] = "^core/crypto/"
	only["jansson.h"] = "^core/base/json\\.h$"
	only["p11-kit/pkcs11.h"] = "^(io/pkcs11|tests/io/test_pkcs11)"
	only["dlfcn.h"] = "^io/(pkcs11|http_curl)\\.c$"
	only["zlib.h"] = "^(server|io)/"

	# Certificates and time stamps are objects of OpenSSL: those, not EVP.
	split("openssl/cms.h openssl/err.h openssl/pkcs7.h openssl/ts.h " \
	      "openssl/x509.h openssl/x509_vfy.h openssl/x509v3.h", objects, " ")
	for (i in objects)
		identity[objects[i]] = 1

	# What core/ may have of the C library: nothing that reaches outside.
	split("assert.h ctype.h inttypes.h limits.h stdarg.h stdbool.h stddef.h " \
	      "stdint.h stdio.h stdlib.h string.h", pure, " ")
	for (i in pure)
		is_pure[pure[i]] = 1
	is_pure["sys/platform/x86.h"] = 1 # what processor it is
}

function fault(text) { printf "%s:%d: %s\n", FILENAME, FNR, text }

function folder(path,   n) {
	for (n in may)
		if (index(path, n "/") == 1)
			return n
	return ""
}

FNR == 1 {
	here = folder(FILENAME)
	if (here == "")
		fault("is in no folder of the layer table")
}

/^[ \t]*#[ \t]*include[ \t]+"/ {
	split($0, part, "\"")
	n = split(may[here], allowed, " ")
	ok = 0
	for (i = 1; i <= n; i++)
		if (index(part[2], allowed[i]) == 1)
			ok = 1
	if (part[2] !~ /\//)
		fault("\"" part[2] "\": project paths begin at the root")
	else if (!ok)
		fault(here " may not include \"" part[2] "\"")
}

/^[ \t]*#[ \t]*include[ \t]+</ {
	match($0, /<[^>]*>/)
	name = substr($0, RSTART + 1, RLENGTH - 2)
	if (name in only && FILENAME !~ only[name])
		fault("<" name "> belongs in " only[name])
	if (name ~ /^openssl\// && FILENAME !~ /^core\/crypto\// &&
	    FILENAME != "io/crypto_start.c" &&
	    !(FILENAME ~ /^core\/identity\// && name in identity))
		fault("<" name "> belongs in core/crypto")
	if (FILENAME ~ /^core\// && !(name in is_pure) && !(name in only) &&
	    name !~ /^openssl\//)
		fault("core/ is pure: no <" name ">")
}')
finish "$faults" "$(c_files core io server client | wc -l) files include only what their layer may"
