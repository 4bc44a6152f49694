#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The code is as clang-format 14 writes it: clang-format-14 -i FILE mends it.
. "$(dirname "$0")/common.sh"
need clang-format-14

faults=$(c_files | xargs -P 2 -n 16 clang-format-14 --dry-run 2>&1 |
	sed -n 's/: warning: code should be clang-formatted.*/: not as clang-format-14 writes it/p' |
	LC_ALL=C sort -t: -k1,1 -u || true)
long=$(c_files core io server client fuzz bench | xargs awk '
	{ line = $0; gsub(/\t/, "        ", line) }
	length(line) > 100 { print FILENAME ":" FNR ": longer than 100 columns" }')
finish "$faults${faults:+${long:+
}}$long" "$(c_files | wc -l) files are formatted"
