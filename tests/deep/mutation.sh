#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every condition of the verifier is needed: with one switched off, a test of
# it fails. Of the table in core/verify/verify.c each row, in both columns, is
# switched off in two ways: "deaf" does its work, but its no is not heard;
# "gone" says that it holds and does nothing. Of what only Sigstore's rules use
# each step, and each refusal that is written down: it is a yes then.
set -euo pipefail
cd "$BUILD"
verify=$SOURCE/core/verify/verify.c
tests=tests/core/verify
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
missed=0

# rows COLUMN: the table's rows, a name and the function in that column each.
rows() {
	sed -nE '/^\} requirements\[\] = \{$/,/^\};$/s/^    \{"(.*)", (.*), (.*)\},$/\1 \2 \3/p' "$verify" |
		awk -v at="$1" '$at != "NULL" { print $1, $at }'
}

# mutate_row ROW FUNCTION KIND: verify.c with that function replaced in that row.
mutate_row() {
	awk -v row="$1" -v function_name="$2" -v kind="$3" '
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
	$0 ~ "^    {\"" row "\", .*},$" { hits += sub(" " function_name "[,}]", " mutant&") ; sub(" mutant " function_name, " mutant") }
	{ print }
	END { exit (row == "-" ? hits != 0 : hits != 1) }' "$verify"
}

# Calls that say no; a definition begins its line.
refusal='[^a-z_](error_reason|error_prefix|because|wrong|missing|malformed|failed|seen_twice)\('

# mutate_refusal FILE N: the file, in which the N-th of these says yes.
mutate_refusal() {
	awk -v refusal="$refusal" -v n="$2" '
	BEGIN {
		split("function parameter variable but-set-variable but-set-parameter", unused, " ")
		for (i in unused) print "#pragma GCC diagnostic ignored \"-Wunused-" unused[i] "\""
		print "#define MUTANT(...) true"
	}
	{
		line = $0
		out = ""
		while (match(line, refusal)) {
			if (++seen == n) {
				print "#line " NR
				line = substr(line, 1, RSTART) "MUTANT(" substr(line, RSTART + RLENGTH)
				break
			}
			out = out substr(line, 1, RSTART + RLENGTH - 1)
			line = substr(line, RSTART + RLENGTH)
		}
		print out line
	}
	END { exit seen < n }' "$1"
}

# mutate_step FILE STEP: sigstore_verify, in which that step always holds.
mutate_step() {
	awk -v step="$2" '
	BEGIN {
		split("function parameter variable", unused, " ")
		for (i in unused) print "#pragma GCC diagnostic ignored \"-Wunused-" unused[i] "\""
	}
	/^sigstore_verify\(/ { print "#define " step "(...) true" }
	{ print }' "$1"
}

# build WHAT TEST: that test with $work/mutant.c in place of the file it is of.
build() {
	"${MAKE:-make}" -s mutant MUTANT="$work/mutant" MUTANT_TEST="$tests/$2" >"$work/log" 2>&1 ||
		{ cat "$work/log"; echo "$1: does not compile"; exit 1; }
}

# What the test that failed said of it.
said() {
	sed -nE 's/^(\[  ERROR   \] --- |.*ERROR: )//p; s/.*(AddressSanitizer: [a-zA-Z-]*|Segmentation).*/\1/p' "$work/log" | cut -c1-90 | grep -m 1 .
}

# noticed WHAT TEST...: whether one of the tests fails with the mutant.
noticed() {
	local what=$1 test
	shift
	for test; do
		build "$what" "$test"
		if ! "$work/mutant" >"$work/log" 2>&1; then
			echo "$what: $(said || echo crashes)"
			return
		fi
	done
	echo "$what: nothing notices"
	missed=$((missed + 1))
}

# unchanged TEST: the test passes with the file as it is.
unchanged() {
	build "as it is" "$1"
	"$work/mutant" >"$work/log" 2>&1 || { cat "$work/log"; echo "$1: fails without any mutation"; exit 1; }
	echo "$1, as it is: passes"
}

"${MAKE:-make}" -s libverify.a libidentity.a "$tests/test_verify"
if [ "$(rows 2 | wc -l)" -lt 24 ] || [ "$(rows 3 | wc -l)" -lt 11 ]; then
	echo "the table of $verify is not understood"
	exit 1
fi
export srcdir=$SOURCE
# Our own vectors are what the mutants must fail at.
export MTLOG_VECTORS=/nonexistent
# An abort is a failed test, and no reason to write down memory.
ulimit -c 0

# The rows, of a policy and of a trusted root.
for column in 2 3; do
	test=test_verify
	[ "$column" = 2 ] || test=test_verify_sigstore
	mutate_row - - none >"$work/mutant.c"
	unchanged "$test"
	while read -r name function; do
		for kind in deaf gone; do
			# Some cannot say no.
			if [ "$kind" = deaf ] && sed -n "/^$function(/,/^}/p" "$verify" | grep -q '(void)err;'; then
				continue
			fi
			mutate_row "$name" "$function" "$kind" >"$work/mutant.c"
			noticed "$name, $function, $kind" "$test"
		done
	done < <(rows "$column")
done

# What Sigstore's rules are made of.
sigstore=$SOURCE/core/verify/sigstore.c
steps=$(sed -n '/^sigstore_verify(/,/^}/p' "$sigstore" | grep -oE '![a-z0-9_]+\(' | tr -d '!(')
[ "$(wc -w <<<"$steps")" -ge 9 ] || { echo "the steps of $sigstore are not understood"; exit 1; }
for step in $steps; do
	mutate_step "$sigstore" "$step" >"$work/mutant.c"
	noticed "sigstore.c, step $step" test_sigstore
done
for file in verify/sigstore identity/rekor_v1 identity/sct identity/trust_root; do
	path=$SOURCE/core/$file.c
	count=$(grep -oE "$refusal" "$path" | wc -l)
	[ "$count" -ge 8 ] || { echo "$path: its refusals are not found"; exit 1; }
	own=()
	[ "$file" = verify/sigstore ] || own=("../identity/test_${file#*/}")
	mutate_refusal "$path" 0 >"$work/mutant.c"
	for test in test_sigstore "${own[@]}"; do unchanged "$test"; done
	for ((n = 1; n <= count; n++)); do
		mutate_refusal "$path" "$n" >"$work/mutant.c"
		line=$(grep -m 1 '^#line' "$work/mutant.c" | cut -d ' ' -f 2)
		# The certificate was parsed before: only memory can fail.
		if sed -n "$((line - 2)),${line}p" "$path" | grep -qE 'bundle_leaf\(|put_precertificate\('; then
			continue
		fi
		noticed "${file#*/}.c:$line" test_sigstore "${own[@]}"
	done
done
[ "$missed" -eq 0 ] || echo "$missed are not needed by any test"
[ "$missed" -eq 0 ]
