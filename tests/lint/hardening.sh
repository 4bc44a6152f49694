#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The programs are built with every option of the OpenSSF compiler hardening
# guide that the compiler has, and show what can be seen of them. -fPIC stands
# for -fPIE, because the same objects are in the library.
. "$(dirname "$0")/common.sh"
need readelf

makefile=$build/Makefile
! grep -q 'DMTLOG_SANITIZED' "$makefile" || { echo "SKIP: a sanitizer wants these options away"; exit 77; }
compiler=$(sed -n 's/^CC = //p' "$makefile")
used=" $(sed -n 's/^\(CFLAGS\|MTLOG_[A-Z]*_[A-Z]*FLAGS\) = //p' "$makefile" | tr '\n' ' ') "
options='-Wall -Wextra -Wformat=2 -Wconversion -Wsign-conversion -Wtrampolines -Wimplicit-fallthrough
	-Wbidi-chars=any -Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types
	-Werror=int-conversion -D_FORTIFY_SOURCE=3 -fstrict-flex-arrays=3 -fstack-clash-protection
	-fstack-protector-strong -fcf-protection=full -mbranch-protection=standard -fexceptions
	-fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing
	-ftrivial-auto-var-init=zero -fPIC -pie -Wl,-z,nodlopen -Wl,-z,noexecstack -Wl,-z,relro -Wl,-z,now
	-Wl,--as-needed -Wl,--no-copy-dt-needed-entries'
known=$(for option in $options; do
	# shellcheck disable=SC2086 # CC may carry options
	echo 'int main(void) { return 0; }' |
		$compiler -O2 -Wall -Werror -U_FORTIFY_SOURCE "$option" -x c -o /dev/null - 2>/dev/null && echo "$option"
done)

# shown PROGRAM TEXT PATTERN WHAT: a line of TEXT must match.
shown() { grep -qE -- "$3" <<<"$2" || echo "$1: $4"; }
faults=$(
	[ "$(wc -w <<<"$known")" -ge 20 ] || echo "$compiler knows only: $known"
	for option in $known; do
		case $used in *" $option "*) ;; *) echo "$makefile: built without $option" ;; esac
	done
	for program in mtlogd mtlog mtlog-witness; do
		said=$(readelf -W -h -l -d --dyn-syms "$build/$program")
		shown $program "$said" 'Type: +DYN' 'is at a fixed address'
		shown $program "$said" 'FLAGS_1.* NOW .*PIE' 'is linked lazily'
		shown $program "$said" '^ +GNU_RELRO' 'keeps its relocations writable'
		shown $program "$said" '^ +GNU_STACK .* RW +0x' 'has a stack that can be run'
		shown $program "$said" ' __stack_chk_fail@' 'has a stack without a guard'
		shown $program "$said" ' __(snprintf|memcpy)_chk@' 'calls nothing that is fortified'
		! grep -E 'TEXTREL|RPATH|RUNPATH|^ +LOAD .* RWE ' <<<"$said" || echo "$program: see above"
	done
)
finish "$faults" "$(wc -w <<<"$known") hardening options, all in use"
