#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Functions that are not used here, and the better ones.
. "$(dirname "$0")/common.sh"

# shellcheck disable=SC2016
faults=$(c_files core io server client fuzz bench | xargs awk '
BEGIN {
	better["strcpy"] = better["strcat"] = better["stpcpy"] = "struct buf, or snprintf"
	better["strncpy"] = better["strncat"] = "struct buf, or memcpy with a checked length"
	better["sprintf"] = better["vsprintf"] = "snprintf, or buf_printf"
	better["strtok"] = better["strtok_r"] = "struct reader"
	better["atoi"] = better["atol"] = better["atoll"] = better["atof"] = "reader_decimal_u64"
	better["scanf"] = better["fscanf"] = "struct reader"
	better["gets"] = "fgets"
	better["localtime"] = better["localtime_r"] = better["ctime"] = "gmtime_r: logs are in UTC"
	better["gmtime"] = better["asctime"] = "gmtime_r and strftime"
	better["rand"] = better["srand"] = better["random"] = better["drand48"] = "getrandom"
	better["system"] = better["popen"] = "nothing: no shell"
	better["tmpnam"] = better["mktemp"] = better["tempnam"] = "mkstemp"
	better["alloca"] = "malloc with a limit"
	better["setjmp"] = better["longjmp"] = "struct error"
	better["signal"] = "sigaction, or signalfd"
	# core/ is given these as arguments.
	outside = " getenv secure_getenv time clock_gettime gettimeofday open fopen read write socket printf fprintf puts fputs perror exit getrandom "
}

function fault(text) { printf "%s:%d: %s\n", FILENAME, FNR, text }

FNR == 1 { comment = 0 }
{
	line = $0
	gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
	if (comment) {
		if (!sub(/^.*\*\//, "", line))
			next
		comment = 0
	}
	gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
	if (sub(/\/\*.*$/, "", line))
		comment = 1
	if (line ~ /^[ \t]*\/\//)
		fault("comments are /* */")
	if (line ~ /(^|[^A-Za-z0-9_])goto[ \t]/)
		fault("no goto: AUTO() and early returns clean up")
	if (FILENAME ~ /^core\// && line ~ /^[ \t]*#[ \t]*(if|elif)/ &&
	    line !~ /^#ifndef MTLOG_[A-Z0-9_]*_H$/)
		fault("no conditional code in core/: choose files in the build")
	rest = line
	while (match(rest, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
		name = substr(rest, RSTART, RLENGTH - 1)
		sub(/[ \t]+$/, "", name)
		before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : ""
		rest = substr(rest, RSTART + RLENGTH)
		# A member or a pointer of that name is another function.
		if (before == "." || before == ">")
			continue
		if (name == "signal" && rest ~ /^[^;]*SIG_(IGN|DFL)\)/)
			continue
		if (name in better)
			fault(name "(): use " better[name])
		if (FILENAME ~ /^core\// && index(outside, " " name " "))
			fault(name "(): core/ reaches nothing outside")
		if (name == "memcmp" && rest ~ /(hash|digest|root)/ &&
		    FILENAME !~ /^core\/(base\/bytes\.h|crypto\/hash\.[ch])$/)
			fault("memcmp on a digest: use hash_equal or bytes_equal")
	}
}')
finish "$faults" "no banned function in $(c_files core io server client fuzz bench | wc -l) files"
