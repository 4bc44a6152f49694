#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy 14 finds nothing (.clang-tidy names the checks). With several
# files in one call it reports faults that are none.
set -euo pipefail
if [ "${1:-}" = --file ]; then
	hints=(-include tests/deep/analyzer.h)
	[ "$2" != core/base/error.c ] || hints=()
	said=$(clang-tidy-14 --quiet "$2" -- "${hints[@]}" -std=gnu11 -D_GNU_SOURCE -I. -I"$BUILD" \
		-DMTLOG_VERSION='"0"' -DMTLOG_DATADIR='"/"' 2>/dev/null) && [ -z "$said" ] && exit 0
	printf '%s\n' "$said"
	exit 1
fi
command -v clang-tidy-14 >/dev/null || { echo "SKIP: clang-tidy-14 is not installed"; exit 77; }
"$SOURCE/tests/support/each_file.sh" clang-tidy ".clang-tidy tests/deep/analyzer.h" "$0" --file ||
	{ echo "clang-tidy: see above"; exit 1; }
echo "clang-tidy: nothing"
