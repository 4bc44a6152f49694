#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The unit tests and fuzz targets once more, under the address and
# undefined-behaviour sanitizers; and a real server, too.
set -euo pipefail
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
"$SOURCE/tests/support/rebuild.sh" asan check-sanitized \
	--enable-sanitizers=address,undefined --disable-deep-checks CFLAGS="-O1 -g"
grep -hE '^# (TOTAL|PASS|FAIL|SKIP)' "$BUILD/asan/make.log" || true
