#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two archives of one source are the same bytes, whoever makes them and when;
# and the archive has every file that the repository has.
set -euo pipefail
unset MAKEFLAGS MFLAGS MAKELEVEL
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1700000000}
for n in one two; do
	mkdir "$work/$n"
	(cd "$work/$n" && "$SOURCE/configure" -q >log 2>&1 && make -s dist >>log 2>&1) ||
		{ cat "$work/$n/log"; exit 1; }
	umask 077
	sleep 1
done
cmp "$work"/one/mtlog-*.tar.xz "$work"/two/mtlog-*.tar.xz
tar -tf "$work"/one/mtlog-*.tar.xz | sed 's|^[^/]*/||; /\/$/d; /^$/d' | LC_ALL=C sort >"$work/in"
if [ -e "$SOURCE/.git" ] && git -C "$SOURCE" ls-files >"$work/files" 2>/dev/null; then
	LC_ALL=C sort "$work/files" | grep -vE '(^|/)\.gitignore$|^\.gitattributes$' |
		LC_ALL=C comm -23 - "$work/in" >"$work/missing"
	[ ! -s "$work/missing" ] || { echo "not in the archive:"; cat "$work/missing"; exit 1; }
fi
echo "$(wc -l <"$work/in") files, the same bytes twice"
