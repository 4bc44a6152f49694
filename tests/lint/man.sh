#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The manuals are sound mdoc, and each command stands in its manual.
. "$(dirname "$0")/common.sh"
need mandoc

# commands FILE: the names in a program's table of commands.
commands() { sed -n 's/^ *{"\([a-z]*\)", c[ml][di]_.*/\1/p' "$1"; }

# verbs: those of the client's table, as it prints them.
mtlog=$build/mtlog
[ -x "$mtlog" ] || { echo "SKIP: $mtlog is not built"; exit 77; }
verbs() { "$mtlog" --help | sed -n 's/^  mtlog \([a-z][a-z-]*\)  *[A-Z].*/\1/p'; }

faults=$(
	mandoc -T lint -W warning man/*.[0-9] 2>&1 || true
	for name in $(commands server/main.c); do
		grep -qE "^\.(It|Ss) Cm $name" man/mtlogd.8 || echo "man/mtlogd.8: no command $name"
	done
	# Each verb has a part of mtlog(1), and that part exactly its options.
	for name in $(verbs); do
		grep -qx "\.Ss $name" man/mtlog.1 || echo "man/mtlog.1: no verb $name"
		{ diff <("$mtlog" "$name" --help | sed -n 's/^  \(--[^ ]*[^ .]\).*/\1/p' | sort) \
			<(sed -n "/^\.Ss $name\$/,/^\.S[sh] /s/^\.It Fl \(-[^ ]*\).*/-\1/p" man/mtlog.1 | sort) || true; } |
			sed -n "s/^< /man\/mtlog.1: $name lacks /p;s/^> /man\/mtlog.1: $name has not /p"
	done
	[ -n "$(verbs)" ] || echo "client/cli/main.c: no verbs found"
	[ -n "$(commands server/main.c)" ] || echo "server/main.c: no table of commands found"
)
finish "$faults" "the manuals are sound and whole"
