#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bootstrap builds a clean source that cannot be written to, elsewhere, and the
# demonstration runs from there; a second run makes nothing; what `make install`
# puts below DESTDIR is what it should be; and where packages are missing and may
# not be installed, it lists them and stops.
set -euo pipefail
unset MAKEFLAGS MFLAGS MAKELEVEL SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
mkdir "$work/source" "$work/build" "$work/home" "$work/stubs"
(cd "$SOURCE" && tar --exclude=./build --exclude=./.git --exclude=./autom4te.cache --exclude=./build-aux \
	--exclude=./configure --exclude=./Makefile.in --exclude=./aclocal.m4 --exclude=./config.h.in -cf - .) |
	tar -C "$work/source" --no-same-owner -xf -
chmod -R a-w,a+rX "$work/source"
chmod 755 "$work"

# Root may write anywhere: someone else then.
run=(env BUILD="$work/build" HOME="$work/home" TMPDIR="$work/home" CFLAGS="-O0 -w")
if [ "$(id -u)" -eq 0 ]; then
	chown 65534:65534 "$work/build" "$work/home"
	run=(setpriv --reuid=65534 --regid=65534 --clear-groups "${run[@]}")
fi
fail() { echo "$1"; tail -n 40 "$work/log"; exit 1; }

"${run[@]}" "$work/source/bootstrap" demo >"$work/log" 2>&1 </dev/null ||
	fail "./bootstrap demo failed from a source that is read-only"
grep -q '^== Done' "$work/log" || fail "the demonstration did not end"
reasons=$(sed -n 's/^refused  \[\([a-z-]*\)\].*/\1/p' "$work/log" | paste -sd ' ')
[ "$reasons" = "file-changed file-unsigned hint-mismatch wrong-name withdrawn" ] ||
	fail "the demonstration refused something else: $reasons"

touch "$work/before"
"${run[@]}" "$work/source/bootstrap" >"$work/log" 2>&1 </dev/null || fail "a second run failed"
made=$(find "$work/build" -type f -newer "$work/before")
[ -z "$made" ] || { echo "a second run made:"; echo "$made"; exit 1; }

"${run[@]}" make -s -C "$work/build" install DESTDIR="$work/home/root" >"$work/log" 2>&1 || fail "make install failed"
(cd "$work/home/root/usr/local" && find . -type f | LC_ALL=C sort) >"$work/installed"
{
	cat <<-TEXT
		./bin/mtlog
		./bin/mtlog-witness
		./include/mtlog.h
		./lib/libmtlog.so.1.0.0
		./lib/pkgconfig/mtlog.pc
		./lib/systemd/system/mtlog-monitor@.service
		./lib/systemd/system/mtlog-witness.service
		./lib/systemd/system/mtlogd.service
		./sbin/mtlogd
		./share/bash-completion/completions/mtlog
		./share/bash-completion/completions/mtlogd
		./share/doc/mtlog/Caddyfile
		./share/doc/mtlog/be-an-auditor.md
		./share/doc/mtlog/nginx.conf
		./share/doc/mtlog/run-a-log.md
		./share/doc/mtlog/run-a-witness.md
		./share/doc/mtlog/threat-model.md
		./share/fish/vendor_completions.d/mtlog.fish
		./share/zsh/site-functions/_mtlog
	TEXT
	for page in "$work"/source/man/*.[0-9]; do
		echo "./share/man/man${page##*.}/${page##*/}"
	done
} | LC_ALL=C sort | diff - "$work/installed" || { echo "make install: other files than these"; exit 1; }
grep -q '/usr/local/sbin/mtlogd' "$work/home/root/usr/local/lib/systemd/system/mtlogd.service" ||
	{ echo "the unit does not name the program where it is"; exit 1; }

# No package is there, and sudo wants a password.
printf '#!/bin/sh\nexit 1\n' | tee "$work/stubs/dpkg-query" >"$work/stubs/sudo"
chmod 755 "$work/stubs"/*
! "${run[@]}" PATH="$work/stubs:$PATH" "$work/source/bootstrap" >"$work/log" 2>&1 </dev/null ||
	fail "bootstrap went on without its packages"
grep -qE '^ *apt-get install autoconf .*libsqlite3-dev' "$work/log" || fail "bootstrap did not list the packages"
echo "read-only source, a second run that makes nothing, $(wc -l <"$work/installed") files installed"
