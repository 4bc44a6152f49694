#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs every fuzz target over its vectors: tests/vectors/NAME, or the folder
# that a target shares with another parser. run.sh --folder NAME prints which.
set -uo pipefail

folder_of() {
	case $1 in
	catalog) echo statement ;;
	entry_request) echo entry ;;
	*) echo "$1" ;;
	esac
}

if [ "${1:-}" = --folder ]; then
	folder_of "$2"
	exit
fi
source=${SOURCE:-$(dirname "$0")/..}
build=${BUILD:-.}
failed=0
count=0
for target in "$build"/fuzz/fuzz_*; do
	case $target in *.o) continue ;; esac
	if [ ! -f "$target" ] || [ ! -x "$target" ]; then continue; fi
	name=${target##*/fuzz_}
	vectors=$source/tests/vectors/$(folder_of "$name")
	if [ ! -d "$vectors" ]; then
		echo "FAIL $name: no $vectors"
		failed=$((failed + 1))
	elif ! said=$("$target" "$vectors" 2>&1); then
		echo "FAIL $name: $said"
		failed=$((failed + 1))
	else
		echo "$name: $said"
	fi
	count=$((count + 1))
done
echo "$count targets, $failed failed"
[ "$count" -gt 0 ] && [ "$failed" -eq 0 ]
