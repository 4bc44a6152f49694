#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs every fuzz target over its vectors: tests/vectors/NAME, or the folder
# that a target shares with another parser.
set -u
source=${SOURCE:-$(dirname "$0")/..}
build=${BUILD:-.}
failed=0
count=0
for target in "$build"/fuzz/fuzz_*; do
	case $target in *.o | *.dSYM | *.c) continue ;; esac
	[ -x "$target" ] || continue
	name=$(basename "$target")
	name=${name#fuzz_}
	case $name in
	certificate) folder=key ;;
	entry_request) folder=entry ;;
	*) folder=$name ;;
	esac
	vectors=$source/tests/vectors/$folder
	if [ ! -d "$vectors" ]; then
		echo "FAIL $name: no tests/vectors/$folder"
		failed=$((failed + 1))
		continue
	fi
	if ! said=$("$target" "$vectors" 2>&1); then
		echo "FAIL $name: $said"
		failed=$((failed + 1))
	else
		echo "$name: $said"
	fi
	count=$((count + 1))
done
echo "$count targets, $failed failed"
[ "$count" -gt 0 ] && [ "$failed" -eq 0 ]
