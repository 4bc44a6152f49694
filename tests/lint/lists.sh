#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# No file is forgotten: each C file and each test stands in a Makefile.inc.
. "$(dirname "$0")/common.sh"

faults=$(
	c_files | while read -r file; do
		top=${file%%/*}
		word=${file#"$top"/}
		case $file in
		tests/*/test_*.c | fuzz/fuzz_*.c) word=${word%.c} ;;
		tests/oracle/oracle.c) word=oracle/oracle ;;
		bench/*.c) word=${word%.c} ;;
		esac
		grep -qE "%D%/$word( |\$)" "$top/Makefile.inc" ||
			echo "$file: is not in $top/Makefile.inc"
	done
	find tests -name 'test_*.py' -o -path 'tests/lint/*.sh' -o -path 'tests/deep/*.sh' |
		while read -r file; do
			grep -qE "%D%/${file#tests/}( |\$)" tests/Makefile.inc ||
				echo "$file: is not in tests/Makefile.inc"
		done
)
finish "$faults" "each file stands in a Makefile.inc"
