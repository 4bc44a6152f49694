#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# embed.sh FILE.sql writes a C header to standard output that holds the file's
# text as `static const char schema_<folder>_<name>[]`.
set -eu

if [ $# -ne 1 ] || [ ! -r "$1" ]; then
	echo "usage: embed.sh FILE.sql" >&2
	exit 2
fi
folder=$(basename "$(dirname "$1")")
name=$(basename "$1" .sql)

echo "/* Made by schema/embed.sh from schema/$folder/$name.sql. */"
echo "static const char schema_${folder}_${name}[] ="
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/	"/' -e 's/$/\\n"/' "$1"
echo "	;"
