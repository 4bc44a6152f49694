#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# embed.sh FILE NAME writes a C header to standard output that holds the file's
# text as `static const char NAME[]`.
set -eu

if [ $# -ne 2 ] || [ ! -r "$1" ]; then
	echo "usage: embed.sh FILE NAME" >&2
	exit 2
fi

echo "/* Made by schema/embed.sh from $(basename "$1"). */"
echo "static const char $2[] ="
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/	"/' -e 's/$/\\n"/' "$1"
echo "	;"
