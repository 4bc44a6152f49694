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
finish "$faults" "$(c_files core io server client | grep -c '\.h$') headers compile alone"
