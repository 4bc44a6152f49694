#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each requirement of core/verify/verify.c is needed: with one switched off, in
# two ways, its test fails. "deaf" does its work, but its no is not heard; "gone"
# says that it holds and does nothing.
set -euo pipefail
cd "$BUILD"
verify=$SOURCE/core/verify/verify.c
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The table's rows: a name and a function each.
rows() {
	sed -n '/^} requirements\[\] = {$/,/^};$/s/^    {"\(.*\)", \(.*\), .*},$/\1 \2/p' "$verify"
}

# mutate FUNCTION KIND: verify.c with that function replaced in the table.
mutate() {
	awk -v function_name="$1" -v kind="$2" '
	BEGIN { print "#pragma GCC diagnostic ignored \"-Wunused-function\"" }
	/^static const struct {$/ { held = $0; next }
	held != "" {
		# Before the table, whose first member is the name.
		if ($0 ~ /const char \*name;$/ && !done) {
			print "static bool mutant(struct verification *v, struct error *err) {"
			if (kind == "deaf") {
				print "struct error unheard = {0};"
				print "(void)" function_name "(v, &unheard);"
			}
			print "(void)v; (void)err; return true; }"
			done = 1
		}
		print held
		held = ""
	}
	$0 ~ "^    {\".*\", " function_name ", .*},$" { sub(", " function_name, ", mutant"); hits++ }
	{ print }
	END { exit (function_name == "-" ? hits != 0 : hits != 1) }' "$verify"
}

# build FUNCTION KIND: the test with it.
build() {
	mutate "$1" "$2" >"$work/verify.c"
	"${MAKE:-make}" -s mutant MUTANT="$work/verify" >"$work/log" 2>&1 ||
		{ cat "$work/log"; echo "$1, $2: does not compile"; exit 1; }
}

"${MAKE:-make}" -s libverify.a tests/core/verify/test_verify
[ "$(rows | wc -l)" -ge 24 ] || { echo "the table of $verify is not understood"; exit 1; }
export srcdir=$SOURCE
# An abort is a failed test, and no reason to write down memory.
ulimit -c 0

build - none
"$work/verify" >"$work/log" 2>&1 || { cat "$work/log"; echo "verify.c as it is: the test fails"; exit 1; }
echo "as it is: passes"

missed=0
while read -r name function; do
	for kind in deaf gone; do
		build "$function" "$kind"
		if "$work/verify" >"$work/log" 2>&1; then
			echo "$name, $kind: nothing notices"
			missed=$((missed + 1))
		else
			echo "$name, $kind: $(grep -m 1 -oE 'ERROR: .*|Segmentation.*|AddressSanitizer: [a-zA-Z-]*' "$work/log" | cut -c1-90 || echo crashes)"
		fi
	done
done < <(rows)
[ "$missed" -eq 0 ]
