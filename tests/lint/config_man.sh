#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The manual mtlogd.conf(5) names exactly the keys of the program, each with
# its default, range, and whether it repeats or reloads.
# Usage: config_man.sh [PROGRAM [ARGUMENT...]]; the program prints the keys,
# `mtlogd check --list-keys` if none is named.

set -eu

page=${srcdir:-.}/man/mtlogd.conf.5

if [ $# -eq 0 ]; then
	mtlogd=${MTLOGD:-./mtlogd}
	if [ ! -x "$mtlogd" ]; then
		echo "SKIP no $mtlogd"
		exit 77
	fi
	set -- "$mtlogd" check --list-keys
fi

keys=$(mktemp)
trap 'rm -f "$keys"' EXIT
"$@" >"$keys"

awk -F '\t' '
function fault(text) {
	print "mtlogd.conf.5: " text
	faults++
}

# Whether a key'\''s part of the page has this line.
function wants(key, line) {
	if (index(entry[key], "\n" line "\n") == 0)
		fault(key ": no line \"" line "\"")
}

function must_not(key, word) {
	if (index(entry[key], "\n" word) > 0)
		fault(key ": has \"" word "\"")
}

# The page comes first: the lines of each key.
FNR == NR {
	if ($0 ~ /^\.It Ic /) {
		key = substr($0, 8)
		if (key in entry)
			fault(key " stands twice")
		entry[key] = "\n"
	} else if ($0 ~ /^\.(El|Sh|Ss|It)/) {
		key = ""
	} else if (key != "") {
		entry[key] = entry[key] $0 "\n"
	}
	next
}

NF != 7 {
	fault("the program prints " NF " columns, not 7: " $0)
	next
}

{
	known[$1] = 1
	count++
	if (!($1 in entry)) {
		fault($1 " is not in the manual")
		next
	}
	if ($3 != "-")
		wants($1, "Default: " $3 ".")
	else
		wants($1, $1 == "origin" ? "Required." : "No default.")
	if ($4 == "-")
		must_not($1, "Range:")
	else
		wants($1, ($2 == "word" || $2 == "yes|no" ? "Values: " : "Range: ") $4 ".")
	if ($5 == "reload")
		wants($1, "Reloadable.")
	else
		must_not($1, "Reloadable.")
	if ($6 == "repeatable")
		wants($1, "Repeatable.")
	else
		must_not($1, "Repeatable.")
}

END {
	for (key in entry)
		if (!(key in known))
			fault("the manual has " key ", which is no key")
	if (count == 0)
		fault("no keys")
	if (faults > 0)
		exit 1
	print count " keys agree with the manual"
}' "$page" "$keys"

if command -v mandoc >/dev/null; then
	mandoc -T lint -W warning "$page"
fi
