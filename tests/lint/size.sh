#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A function has 70 lines at most, a file 700, a header 150.
. "$(dirname "$0")/common.sh"
need ctags

functions=$(mktemp)
trap 'rm -f "$functions"' EXIT
c_files | grep '\.c$' | ctags -L - -f - --languages=C --kinds-C=f --fields=+ne-P \
	--excmd=number --sort=no 2>/dev/null | awk -F '\t' '{
	line = end = 0
	for (i = 4; i <= NF; i++) {
		if ($i ~ /^line:/) line = substr($i, 6)
		if ($i ~ /^end:/) end = substr($i, 5)
	}
	if (end) printf "%d %s:%d: %s\n", end - line + 1, $2, line, $1
}' >"$functions"
[ -s "$functions" ] || { echo "ctags found no function"; exit 1; }

faults=$(
	awk '$1 > 70 { print $2 " " $3 " has " $1 " lines; 70 are the limit" }' "$functions"
	c_files | xargs wc -l | awk '
	# What several files of one module share, and no one else has.
	BEGIN { large["server/httpd_parts.h"] = 310 }
	# All that is installed, in one file.
	BEGIN { large["client/lib/mtlog.h"] = 200 }
	$2 == "total" || ($2 in large && $1 <= large[$2]) { next }
	$2 ~ /^(core|io|server|client).*\.h$/ && $1 > 150 {
		print $2 ": a header of " $1 " lines; 150 are the limit" }
	$2 ~ /^tests\// && $1 > 1200 {
		print $2 ": a test of " $1 " lines; 1200 are the limit" }
	$2 !~ /^tests\// && $1 > 700 { print $2 ": " $1 " lines; 700 are the limit" }'
)
finish "$faults" "$(sort -n "$functions" | awk '{ v[NR] = $1 }
	END { printf "%d functions: median %d lines, 90%% at most %d, longest %d",
	NR, v[int((NR + 1) / 2)], v[int(NR * 0.9)], v[NR] }')"
