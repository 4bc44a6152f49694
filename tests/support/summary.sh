#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# summary.sh BUILD: counts what `make check` ran there: each case of a cmocka
# program, each other test as one, and as skipped each part that such a test
# says it left out ("SKIP what: why", a line). Prints the closing line
# "N passed, N failed, N skipped"; fails if anything failed or nothing ran.
set -eu
build=$1
find "$build" -name '*.trs' -not -path '*/source/*' | sort | while read -r trs; do
	log=${trs%.trs}.log
	result=$(sed -n 's/^:test-result: *//p' "$trs" | head -n 1)
	case $result in
	PASS) passed=1 failed=0 skipped=0 ;;
	SKIP) passed=0 failed=0 skipped=1 ;;
	*) passed=0 failed=1 skipped=0 ;;
	esac
	if [ -f "$log" ] && grep -q '^\[==========\] .* test(s) run' "$log"; then
		passed=$(grep -c '^\[       OK \]' "$log" || true)
		bad=$(grep -c '^\[  FAILED  \] .*: ' "$log" || true)
		skipped=$(grep -c '^\[  SKIPPED \] [^0-9]' "$log" || true)
		[ "$failed" -eq 0 ] || failed=$((bad > 0 ? bad : 1))
	elif [ "$result" = PASS ] && [ -f "$log" ]; then
		skipped=$(grep -c '^SKIP [^:]*:' "$log" || true)
	fi
	echo "$passed $failed $skipped"
done | awk '{ p += $1; f += $2; s += $3 }
	END { printf "%d passed, %d failed, %d skipped\n", p, f, s
	      exit f > 0 || p == 0 }'
