#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each header compiles alone, first, and is guarded by its path's name.
. "$(dirname "$0")/common.sh"
compiler=${CC:-gcc}
need "${compiler%% *}"

faults=$(
	for header in $(c_files core io server client | grep '\.h$'); do
		guard=MTLOG_$(echo "${header%.h}" | tr a-z/.- A-Z___)_H
		grep -q "^#ifndef $guard\$" "$header" ||
			echo "$header:2: the guard must be $guard"
		# shellcheck disable=SC2046,SC2086 # words; CC may carry options
		$compiler -std=gnu11 -D_GNU_SOURCE -fsyntax-only -Wall -Wextra \
			-Wno-unused -I. -I"$build" $(pkg-config --cflags p11-kit-1) -x c - 2>&1 <<-TEXT |
			#include "$header"
			#include "$header"
		TEXT
			sed "s|^|$header: not alone: |" || true
	done
)

# Others' programs include this one: in the oldest C and C++ that it promises.
alone() {
	local compiler=$1 language=$2
	shift 2
	printf '#include "client/lib/mtlog.h"\n#include "client/lib/mtlog.h"\n' |
		"$compiler" -fsyntax-only -pedantic -Wall -Wextra -Werror -I. "$@" \
			-x "$language" - 2>&1 | sed "s|^|$compiler $*: |" || true
}
faults+=$(
	tried=0
	for plus in g++ clang++-14; do
		command -v "$plus" >/dev/null || continue
		tried=1
		alone "$plus" c++ -std=c++11 -Wold-style-cast
	done
	[ $tried = 1 ] || echo "no C++ compiler: client/lib/mtlog.h was not tried"
	alone "${compiler%% *}" c -std=c99 -Wstrict-prototypes
)
finish "$faults" "$(c_files core io server client | grep -c '\.h$') headers compile alone"
