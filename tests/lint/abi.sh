#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What programs that are built already count on in libmtlog: each symbol with
# its version, each prototype, each number. client/lib/mtlog.abi has them; a
# line may be added, never changed or taken away. `abi.sh --write` after adding.
. "$(dirname "$0")/common.sh"
need gcc
need nm
known=client/lib/mtlog.abi

dump() {
	nm -D --defined-only --with-symbol-versions "$build/libmtlog.so.1" |
		awk '$2 != "A" { print "symbol " $3 }'
	echo '#include "client/lib/mtlog.h"' |
		gcc -std=gnu11 -I. -x c -c -o /dev/null -aux-info /dev/stdout - |
		sed -n 's|^/\* client/lib/mtlog.h:[^*]*\*/ extern|prototype|p; s|^/\* ./client/lib/mtlog.h:[^*]*\*/ extern|prototype|p'
	echo '#include "client/lib/mtlog.h"' | gcc -I. -E -dM -x c - |
		sed -n 's/^#define \(MTLOG_[A-Z_]*\) \([0-9"].*\)/constant \1 \2/p'
}

[ -f "$build/libmtlog.so.1" ] || { echo "$build/libmtlog.so.1 is not built"; exit 1; }
now=$(dump | LC_ALL=C sort)
if [ "${1:-}" = --write ]; then
	printf '%s\n' "$now" >$known
	exit
fi
faults=$(diff -u --label "$known" $known --label "libmtlog.so.1 and mtlog.h" <(printf '%s\n' "$now") || true)
finish "$faults" "$(wc -l <$known) lines of the library's interface are as they were"
