#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each parser of core/ has a test, a fuzz target and vectors of its own. A
# parser is a header that declares some NAME_parse.
. "$(dirname "$0")/common.sh"

# A parser that shares its fuzz target or folder with another one.
target_of() {
	case $1 in
	json | reader | encoding | error | times) echo - ;; # tools of the parsers below
	der | key_parse) echo key ;;
	policy_build) echo policy ;;
	*) echo "$1" ;;
	esac
}

faults=$(
	c_files core | grep '\.h$' | xargs grep -lE '^[a-z_ ]*[ *][a-z0-9_]*_parse\(|^[a-z0-9_]*_parse\(' | while read -r header; do
		name=$(basename "$header" .h)
		[ -f "tests/${header%/*}/test_$name.c" ] ||
			echo "$header: no tests/${header%/*}/test_$name.c"
		target=$(target_of "$name")
		[ "$target" != - ] || continue
		[ -f "fuzz/fuzz_$target.c" ] || echo "$header: no fuzz/fuzz_$target.c"
		[ -d "tests/vectors/$target" ] || echo "$header: no tests/vectors/$target/"
	done
)
finish "$faults" "each parser of core/ has a test, a fuzz target and vectors"
