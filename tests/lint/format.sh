#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The code is as clang-format 14 writes it; clang-format-14 -i FILE mends it.
. "$(dirname "$0")/common.sh"
need clang-format-14

faults=$(c_files | xargs clang-format-14 --dry-run 2>&1 | awk -F : '
	/code should be clang-formatted/ && !seen[$1]++ {
		print $1 ":" $2 ": not as clang-format-14 -i writes it" }')
# shellcheck disable=SC2016
long=$(c_files core io server client fuzz bench | xargs awk '
	{ line = $0; gsub(/\t/, "        ", line) }
	length(line) > 100 { print FILENAME ":" FNR ": longer than 100 columns" }')
finish "$faults${faults:+${long:+
}}$long" "$(c_files | wc -l) files are formatted"
