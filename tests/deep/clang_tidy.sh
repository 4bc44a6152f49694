#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy 14 (.clang-tidy names the checks) finds nothing but what
# clang_tidy.known says is no fault. With several files in one call it reports
# others that are none.
set -euo pipefail
known=$SOURCE/tests/deep/clang_tidy.known
if [ "${1:-}" = --file ]; then
	hints=(-include tests/deep/analyzer.h)
	[ "$2" != core/base/error.c ] || hints=()
	# shellcheck disable=SC2046 # words
	said=$(clang-tidy-14 --quiet "$2" -- "${hints[@]}" -std=gnu11 -D_GNU_SOURCE -I. -I"$BUILD" \
		-DMTLOG_VERSION='"0"' -DMTLOG_DATADIR='"/"' \
		-DMTLOG_PKCS11_MODULES='"/"' $(pkg-config --cflags p11-kit-1) 2>/dev/null) || true
	bad=0
	while read -r kind; do
		grep -qF "$2 $kind " "$known" || bad=1
	done < <(printf '%s\n' "$said" |
		sed -n 's/.* error: .*\[\([^],]*\)\(,-warnings-as-errors\)*\]$/\1/p' | sort -u)
	[ $bad -eq 0 ] && exit 0
	printf '%s\n' "$said"
	exit 1
fi
command -v clang-tidy-14 >/dev/null || { echo "SKIP: clang-tidy-14 is not installed"; exit 77; }
"$SOURCE/tests/support/each_file.sh" clang-tidy ".clang-tidy $known tests/deep/analyzer.h" "$0" --file ||
	{ echo "clang-tidy: see above"; exit 1; }
echo "clang-tidy: nothing new"
