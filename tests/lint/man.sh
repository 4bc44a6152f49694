#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The manuals are sound mdoc, and each command stands in its manual.
. "$(dirname "$0")/common.sh"
need mandoc

# commands FILE: the names in a program's table of commands.
commands() { sed -n 's/^ *{"\([a-z]*\)", c[ml][di]_.*/\1/p' "$1"; }

faults=$(
	mandoc -T lint -W warning man/*.[0-9] 2>&1 || true
	for name in $(commands server/main.c); do
		grep -qE "^\.(It|Ss) Cm $name" man/mtlogd.8 || echo "man/mtlogd.8: no command $name"
	done
	for name in $(commands client/cli/main.c); do
		grep -qE "^\.(It|Ss) Cm $name" man/mtlog.1 || echo "man/mtlog.1: no command $name"
	done
	[ -n "$(commands server/main.c)" ] || echo "server/main.c: no table of commands found"
)
finish "$faults" "the manuals are sound and whole"
