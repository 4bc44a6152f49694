#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# core/ is pure: its archives call nothing but what is listed here, and have no
# byte of writable data. A shared library exports mtlog_* only.
. "$(dirname "$0")/common.sh"
need nm
need objdump

# Memory, text in memory, and the libraries that work on bytes. No file,
# socket, clock, environment, thread, signal or standard stream.
allowed='
(malloc|calloc|realloc|reallocarray|free|abort|qsort|qsort_r|bsearch)
(mem(chr|cmp|cpy|mem|move|rchr|set)|explicit_bzero|str(chr|cmp|len|ncmp|nlen|rchr|spn|cspn|str))
(__(mem(cpy|move|set)|explicit_bzero|v?asprintf|v?snprintf)_chk|v?asprintf|v?snprintf)
(__stack_chk_fail|__assert_fail|_GLOBAL_OFFSET_TABLE_|__gcc_personality_v0|_Unwind_Resume)
(BIO_(ctrl|free|free_all|new|new_mem_buf|read|s_mem)|BN_.*|CRYPTO_(free|memcmp|clear_free))
(ERR_(clear_error|get_error|peek_error|peek_last_error|pop_to_mark|set_mark))
(EVP_.*|OSSL_PARAM_.*|OPENSSL_sk_.*|OBJ_.*|ASN1_.*|X509_.*|PKCS5_.*|PKCS7_.*|PKCS8_.*|TS_.*|PEM_(read|write)_bio_.*|[di]2[di]_.*)
(crypto_(core|hash|scalarmult|sign)_.*|sodium_(memcmp|memzero))
(json_.*)
(__x86_get_cpuid_feature_leaf)
(__(asan|ubsan|tsan|sanitizer|gcov|sancov)_.*)
'
# Files and the environment, behind names that would pass.
forbidden='X509_(LOOKUP|load|get_default)_.*|X509_STORE_(add_lookup|load|set_default).*'
pattern=$(printf '%s' "$allowed" | sed '/^$/d' | paste -sd '|')

faults=$(
	cd "$build"
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	set -- libbase.a libcrypto.a libtlog.a libidentity.a libmodel.a libformat.a libpolicy.a libverify.a
	[ -f "$1" ] || { echo "$build/$1 is not built"; exit; }
	nm -g --defined-only "$@" | awk 'NF == 3 { print $3 }' >"$work/own"
	nm -A -u "$@" | awk -v pattern="^($pattern)\$" \
		-v forbidden="^($forbidden)\$" '
	FNR == NR { own[$1] = 1; next }
	NF > 1 && $(NF - 1) == "U" && !($NF in own) &&
	($NF !~ pattern || $NF ~ forbidden) {
		print $1 " core/ is pure, and calls " $NF }' "$work/own" - | sort -u
	# Sanitizers keep records of their own there; -fexceptions a pointer to the
	# unwinder, in a section that ends in DW.ref.__gcc_personality_v0.
	nm "$1" >"$work/base"
	grep -q -E ' (__asan|__ubsan|__tsan)_' "$work/base" ||
		objdump -h "$@" | awk '
		/file format/ { object = $1 }
		$2 ~ /^\.(data|bss|tdata|tbss)/ && $2 !~ /^\.data\.rel\.(ro|local\.DW\.ref\.__gcc_personality)/ && $3 !~ /^0+$/ {
			print object " core/ is pure, and has 0x" $3 " bytes of " $2 }'
	# The version itself is a symbol, too.
	nm -D --defined-only libmtlog.so.1 | awk '
	$3 !~ /^mtlog_[a-z_]+@@MTLOG_[0-9]+$/ && $2 != "A" {
		print "libmtlog.so.1 exports " $3 }
	$2 == "T" { n++ }
	END { if (n == 0) print "libmtlog.so.1 exports nothing" }'
)
finish "$faults" "core/ calls only what is listed, and has no writable data; libmtlog exports its own"
