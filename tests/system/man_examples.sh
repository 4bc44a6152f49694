#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The programs in the library's manuals: taken out of the pages as a reader sees
# them, compiled as strict C99 against the installed header alone, and run on a
# model that is accepted, and on ones that are not. MTLOG_LIBS, if set, is how to
# link libmtlog.
set -euo pipefail
umask 022
source=${SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${BUILD:-$source/build}
mtlog=$build/mtlog
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0

fail() { echo "FAIL $*"; exit 1; }

# value NAME: of a variable of the build.
value() { sed -n "s/^$1 = //p" "$build/Makefile" | tail -n 1; }

# The shared library where it was built, else the archives that mtlog links.
if [ -z "${MTLOG_LIBS:-}" ]; then
	if [ -e "$build/libmtlog.so" ]; then
		MTLOG_LIBS="-L$build -Wl,-rpath,$build -lmtlog"
	else
		archives=$(value CORE_LIBS)
		MTLOG_LIBS="$build/libclient.a ${archives//lib/$build/lib} $build/libio.a ${archives//lib/$build/lib}"
		for name in SECCOMP JANSSON CRYPTO SODIUM; do MTLOG_LIBS+=" $(value "${name}_LIBS")"; done
		MTLOG_LIBS+=" $(value LIBS) -pthread"
	fi
fi
sanitizers=$(value MTLOG_HARDEN_CFLAGS | grep -o -- '-fsanitize=[a-z,]*' || true)

# example PAGE: its program.
example() {
	sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "$1" | sed '1,/^\.Bd/d;/^\.Ed/,$d' | sed 's/\\e/\\/g;s/^\\&//'
}

for page in "$source"/man/mtlog*.3; do
	name=$(basename "$page" .3)
	example "$page" >"$work/$name.c"
	grep -q '^main(' "$work/$name.c" || fail "$name.3 has no complete program"
	mkdir -p "$work/include"
	cp "$source/client/lib/mtlog.h" "$work/include/"
	# shellcheck disable=SC2086 # lists of words
	${CC:-cc} -std=c99 -Wall -Wextra -Werror -pedantic -I"$work/include" $sanitizers \
		-o "$work/$name" "$work/$name.c" $MTLOG_LIBS || fail "$name.3: its program does not compile"
	passed=$((passed + 1))
done

# A model of a key, a policy for it, and one of another signer.
cd "$work"
export XDG_STATE_HOME=$work/home
mkdir model
printf 'some weights\n' >model/weights.bin
printf '{}\n' >model/config.json
for key in release other; do
	"$mtlog" key new --out $key.pem >/dev/null
	{
		printf 'quorum none\nmtlog-policy 1\nsigner ci key '
		"$mtlog" key show $key.pem.pub | sed -n 's/^policy line .* key //p'
		printf 'model acme/*\n  signed-by ci\n  logged no\n'
	} >$key.policy
done
"$mtlog" sign --key release.pem --name acme/r50 model >/dev/null
cp -r model changed
printf 'same weights\n' >changed/weights.bin
printf 'nonsense\n' >broken.policy
head -c 300 model/model.sig >broken.sig

# expect CODE TEXT PROGRAM ARGUMENT...: what it returns, and what it says.
expect() {
	local code=0 want=$1 text=$2 out
	shift 2
	out=$("./$1" "${@:2}" 2>&1) || code=$?
	[ "$code" -eq "$want" ] || fail "$*: exit code $code, not $want: $out"
	case $out in *"$text"*) ;; *) fail "$*: does not say \"$text\": $out" ;; esac
	passed=$((passed + 1))
}

expect 0 'weights.bin: 13 bytes' mtlog release.policy acme/r50 model
expect 10 'weights.bin' mtlog release.policy acme/r50 changed
expect 13 '' mtlog release.policy acme/other model
expect 11 '' mtlog other.policy acme/r50 model
expect 2 'broken.policy' mtlog broken.policy acme/r50 model
expect 40 'none.policy' mtlog none.policy acme/r50 model
expect 40 '' mtlog release.policy acme/r50 nowhere
expect 2 usage mtlog
expect 0 'is a policy' mtlog_policy release.policy
expect 0 'is a policy' mtlog_policy release.policy "$(sha256sum release.policy | cut -d' ' -f1)"
expect 2 '' mtlog_policy release.policy "$(sha256sum other.policy | cut -d' ' -f1)"
expect 2 '' mtlog_policy broken.policy
expect 40 '' mtlog_policy none.policy
expect 0 '2 files' mtlog_options release.policy acme/r50 state model
[ -s state/state.json ] || fail "no state was kept"
expect 10 '' mtlog_options release.policy acme/r50 state changed
expect 11 '' mtlog_options other.policy acme/r50 state model
expect 0 'some weights' mtlog_model release.policy acme/r50 model weights.bin
expect 0 '{}' mtlog_model release.policy acme/r50 changed config.json
expect 10 '' mtlog_model release.policy acme/r50 changed weights.bin
code=0
out=$(./mtlog_model release.policy acme/r50 changed weights.bin 2>/dev/null) || code=$?
[ -z "$out" ] || fail "a changed file's bytes came out: $out"
./mtlog_model release.policy acme/r50 model nowhere.bin >/dev/null 2>&1 && fail "a file that is not listed"
expect 0 'a model may be checked' mtlog_verdict release.policy acme/r50 model/model.sig
expect 0 '"accepted":true' mtlog_verdict release.policy acme/r50 changed/model.sig
expect 11 '"accepted":false' mtlog_verdict other.policy acme/r50 model/model.sig
expect 12 '"accepted":false' mtlog_verdict release.policy acme/r50 broken.sig
echo "$passed checks of the manuals' programs passed"
