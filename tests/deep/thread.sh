#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The tests of the server once more, under the thread sanitizer.
set -euo pipefail
export MTLOG_CUTS=200 # slow here, and without threads
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
# gcc 12's sanitizer knows no address space as random as newer kernels make it.
run=()
if setarch -R true 2>/dev/null; then run=(setarch -R); fi
"${run[@]}" "$SOURCE/tests/support/rebuild.sh" tsan check-threads \
	--enable-sanitizers=thread --disable-deep-checks CFLAGS="-O1 -g"
grep -hE '^# (TOTAL|PASS|FAIL|SKIP)' "$BUILD/tsan/make.log" || true
