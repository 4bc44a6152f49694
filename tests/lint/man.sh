#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The manuals are sound mdoc, and each command stands in its manual: each verb of
# mtlog has a page with exactly its options, mtlog(1) all codes and reasons, and
# mtlog(3) and its like all of mtlog.h.
. "$(dirname "$0")/common.sh"
need mandoc

# commands FILE: the names in a program's table of commands.
commands() { sed -n 's/^ *{"\([a-z-]*\)", \(cmd\|cli\|witness\)_.*/\1/p' "$1"; }

# verbs: those of the client's table, as it prints them.
mtlog=$build/mtlog
[ -x "$mtlog" ] || { echo "SKIP: $mtlog is not built"; exit 77; }
verbs() { "$mtlog" --help | sed -n 's/^  mtlog \([a-z][a-z-]*\)  *[A-Z].*/\1/p' | sort -u; }

# options VERB, page_options FILE: each with the word of its argument.
options() { "$mtlog" "$1" --help | sed -nE 's/^  (--[^ ]+( [A-Z0-9|:]+)?)(\.\.\.)? .*/\1/p' | sort; }
page_options() { sed -nE '/^\.Ss Options$/,/^\.El$/s/^\.It Fl (-[^ ]+)( Ar ([^ ]+))?$/-\1 \3/p' "$1" | sed 's/ $//' | sort; }

# codes: "10 content-mismatch" and "10 file-changed", each on a line.
codes() {
	"$mtlog" help exit-codes | awk '/^ ?[0-9]+ [a-z-]+$/ { code = $1; print code, $2; next }
		/^  / { gsub(/[ ,]+/, " "); for (i = 1; i <= NF; i++) print code, $i }' | sort
}
page_codes() {
	sed -n '/^\.Sh EXIT STATUS/,/^\.Sh SEE/p' man/mtlog.1 |
		awk '/^\.It [0-9]+ Cm / { code = $2; print code, $4; reasons = 0; next }
			/^Reasons: / { reasons = 1; sub(/^Reasons: /, "") }
			reasons && /^[a-z-]+[,.]$/ { sub(/[,.]$/, ""); print code, $1 }' | sort
}

# names_of_header, names_of_pages: functions and constants of the library.
names_of_header() {
	sed '/^#include/d;/MTLOG_CLIENT/d;/define MTLOG_\(API\|MUST_USE\) /d;s/([0-9])//g' client/lib/mtlog.h |
		grep -oE '\bmtlog_[a-z_]+\(|^#define MTLOG_[A-Z_]+' | sed 's/($//;s/^#define //' | sort -u
}
names_of_pages() {
	grep -hE '^\.(It )?(Fo|Dv) ' man/*.3 | tr ' ' '\n' | grep -E '^(mtlog_[a-z_]+|MTLOG_[A-Z_]+)$' | sort -u
}

# differ PAGE: what stands in one of two lists only, as faults of a page.
differ() { sed -n "s|^< |$1: lacks |p;s|^> |$1: has what is not there: |p"; }

faults=$(
	mandoc -T lint -W warning man/*.[0-9] 2>&1 || true
	for name in $(commands server/main.c); do
		grep -qE "^\.(It|Ss) Cm $name" man/mtlogd.8 || echo "man/mtlogd.8: no command $name"
	done
	for name in $(commands server/witness/main.c); do
		grep -qE "^\.(It|Ss) Cm $name" man/mtlog-witness.1 || echo "man/mtlog-witness.1: no command $name"
	done
	for name in $(verbs); do
		page=man/mtlog-$name.1
		[ -f "$page" ] || { echo "$page: is not there"; continue; }
		grep -qE "^\.Cm $name( |\$)" "$page" || echo "$page: its synopsis lacks the verb"
		grep -qx '\.Ss Examples' "$page" || echo "$page: has no examples"
		{ diff <(options "$name") <(page_options "$page") || true; } | differ "$page"
	done
	{ diff <(verbs | sort) <(sed -n 's/^\.It Xr mtlog-\([a-z-]*\) 1$/\1/p' man/mtlog.1 | sort) || true; } | differ man/mtlog.1
	{ diff <(names_of_header) <(names_of_pages) || true; } | differ "man/mtlog*.3"
	[ -n "$(names_of_header)" ] || echo "client/lib/mtlog.h: no names found"
	{ diff <(codes) <(page_codes) || true; } | differ man/mtlog.1
	[ -n "$(codes)" ] || echo "mtlog help exit-codes: no codes found"
	for page in man/mtlog-*.1; do
		name=${page#man/mtlog-}
		verbs | grep -qx "${name%.1}" || echo "$page: there is no such verb"
	done
	for page in man/*.[0-9]; do
		grep -qE "%D%/${page#man/}( |\$)" man/Makefile.inc || echo "$page: is not in man/Makefile.inc"
		sed -nE 's/^\.Xr (mtlog[^ ]*) ([0-9]).*/\1.\2/p' "$page" | sort -u | while read -r other; do
			[ -f "man/$other" ] || echo "$page: names $other, which is not there"
		done
	done
	[ -n "$(verbs)" ] || echo "client/cli/main.c: no verbs found"
	[ -n "$(commands server/main.c)" ] || echo "server/main.c: no table of commands found"
)
finish "$faults" "the manuals are sound and whole"
