#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What docs/ and README.md tell people to type is there: each command of mtlog,
# mtlogd and mtlog-witness in a block of shell, with each option it is given.
. "$(dirname "$0")/common.sh"
for program in mtlog mtlogd; do
	[ -x "$build/$program" ] || { echo "SKIP: $build/$program is not built"; exit 77; }
done

# lines FILE: the commands of its ```sh blocks, one a line, without comments.
lines() {
	awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$1" |
		sed -e ':a' -e '/\\$/N; s/\\\n//; ta' -e 's/ #.*//'
}

# options PROGRAM WORD: what its help names; of mtlogd also the keys of its configuration.
options() {
	"$build/$1" "$2" --help 2>&1 | grep -oE -- '(^|[ [])-{1,2}[a-z][a-z0-9.-]*' | tr -d ' [' || true
	[ "$1" = mtlog ] || sed -nE 's/^\.It Ic ([a-z-]+)$/--\1/p' man/mtlogd.conf.5
}

judge() {
	local page=$1 program=$2 word=$3 option known said
	said=$("$build/$program" "$word" --help 2>&1 || true)
	known=$(options "$program" "$word")
	[[ $said != *"there is no command"* ]] || echo "$page: $program has no $word"
	while read -r option; do
		grep -qxF -- "$option" <<<"$known" || echo "$page: $program $word has no $option"
	done < <(grep -oE -- '--[a-z][a-z0-9-]*' <<<"$4" || true)
}

faults=$(
	for page in README.md docs/*.md; do
		[ -n "$(lines "$page")" ] || [ "$page" = docs/threat-model.md ] || echo "$page: has no commands"
		lines "$page" | while read -r program word rest; do
			case $program in mtlog | mtlogd) judge "$page" "$program" "$word" "$rest" ;; esac
		done
	done
)
finish "$faults" "the documents' commands are there"
