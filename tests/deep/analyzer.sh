#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# gcc's analyzer finds nothing but what analyzer.known says is no fault.
set -euo pipefail
known=$SOURCE/tests/deep/analyzer.known
if [ "${1:-}" = --file ]; then
	hints=(-include tests/deep/analyzer.h)
	[ "$2" != core/base/error.c ] || hints=()
	# shellcheck disable=SC2046 # words
	said=$(gcc -std=gnu11 -D_GNU_SOURCE -I. -I"$BUILD" -DMTLOG_VERSION='"0"' \
		-DMTLOG_DATADIR='"/"' -DMTLOG_PKCS11_MODULES='"/"' $(pkg-config --cflags p11-kit-1) \
		"${hints[@]}" -O2 -fanalyzer -c -o /dev/null "$2" 2>&1) ||
		{ printf '%s\n' "$said"; exit 1; }
	found=$(printf '%s\n' "$said" | sed -n 's/.*\[-W\(analyzer-[a-z-]*\)\]$/\1/p' | sort -u)
	bad=0
	for kind in $found; do
		grep -q "^$2 $kind " "$known" || { bad=1; break; }
	done
	[ $bad -eq 0 ] && exit 0
	printf '%s\n' "$said"
	exit 1
fi
command -v gcc >/dev/null || { echo "SKIP: gcc is not installed"; exit 77; }
"$SOURCE/tests/support/each_file.sh" analyzer "$known tests/deep/analyzer.h" "$0" --file ||
	{ echo "gcc -fanalyzer: see above"; exit 1; }
echo "gcc -fanalyzer: nothing new"
