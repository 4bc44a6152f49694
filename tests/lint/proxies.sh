#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# nginx and Caddy understand the sample files of contrib/.
. "$(dirname "$0")/common.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
judged=
PATH=$PATH:/usr/sbin
if command -v nginx >/dev/null; then
	mkdir "$work/cache"
	sed -e "s|/var/cache/nginx|$work/cache|" -e '/ssl_certificate/d' \
		-e 's/listen \(.*\) ssl.*;/listen 127.0.0.1:8443;/' -e '/http2/d' \
		contrib/nginx.conf >"$work/site.conf"
	cat >"$work/nginx.conf" <<-TEXT
		error_log stderr;
		pid $work/pid;
		events { }
		http { access_log off; client_body_temp_path $work; proxy_temp_path $work;
			fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
			include $work/site.conf; }
	TEXT
	nginx -t -q -p "$work" -c "$work/nginx.conf" || { echo "contrib/nginx.conf: see above"; exit 1; }
	judged="nginx"
fi
if command -v caddy >/dev/null; then
	caddy validate --adapter caddyfile --config contrib/Caddyfile >"$work/caddy.log" 2>&1 ||
		{ cat "$work/caddy.log"; echo "contrib/Caddyfile: see above"; exit 1; }
	judged="$judged caddy"
fi
[ -n "$judged" ] || { echo "SKIP: neither nginx nor caddy is installed"; exit 77; }
echo "understood by: $judged"
