# A whole platform below a prefix, for tests: load ../lib/platform (after ../lib/common, ../lib/images).
#
# Router, containers and sites as an operator would start them; platform_down in teardown_file ends all.

# platform_up DIR: directories, key directory, router on a free port; sets $P and $port.
platform_up()
{
	P=$1
	export P
	mkdir -p "$P/run/fief/router" "$P/run/fief/subscribe" "$P/etc/fief/keys" "$P/containers"
	chmod 711 "$P/containers"
	pass_to "$P"
	start_bg router fief-router --prefix "$P" --http 127.0.0.1:0 --workers 2 \
		--subscribe "unix:$P/run/fief/subscribe/http" --keys "$P/etc/fief/keys" \
		--control "$P/run/fief/router/control.sock"
	wait_for 10 grep -q 'listening on' "$(work_dir)/router.log"
	port=$(sed -n 's/.*http=127.0.0.1:\([0-9]*\).*/\1/p' "$(work_dir)/router.log" | head -n 1)
	export port
}

# record UID NAME IMAGE [JQ]: a container record, changed by a jq expression.
record()
{
	jq -n --argjson uid "$1" --arg name "$2" --arg image "$3" \
		'{version: 1, uid: $uid, name: $name, image: $image, memory: 134217728, pids: 100}' |
		jq "${4:-.}"
}

# container_up UID NAME IMAGE [JQ]: makes the bundle and starts the container under its shim.
container_up()
{
	record "$@" | fief-bundle --prefix "$P" apply - || return
	fief-shim run --prefix "$P" --detach "$P/var/lib/fief/bundles/$1"
}

container_down()
{
	fief-shim stop --prefix "$P" --timeout 5 "$1" >/dev/null 2>&1 || true
	fief --root "$P/run/fief/runtime" delete --force "$1"
}

# inside UID CMD...: as the customer, in the container.
inside()
{
	local uid=$1
	shift
	fief-shim exec --prefix "$P" "$uid" -- "$@"
}

# write_inside UID PATH MODE: stdin to a file of the home.
write_inside()
{
	# shellcheck disable=SC2016 # expanded inside
	inside "$1" /bin/sh -c 'cat >"$HOME/$1.new" && chmod "$2" "$HOME/$1.new" &&
		mv "$HOME/$1.new" "$HOME/$1"' sh "$2" "$3"
}

# site_up UID DOMAIN: key pair, application and vassal of four lines.
site_up()
{
	local uid=$1 domain=$2 key
	key=$(openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null)
	printf '%s\n' "$key" | openssl pkey -pubout -out "$P/etc/fief/keys/$domain.pem"
	printf '%s\n' "$key" | write_inside "$uid" etc/uwsgi.key 600
	write_inside "$uid" app.py 644 <<-'APP'
		import os

		def application(environ, start_response):
		    start_response("200 OK", [("Content-Type", "text/plain")])
		    return [("version 1 of uid %d" % os.getuid()).encode()]
	APP
	write_inside "$uid" "vassals/$domain.ini" 644 <<-VASSAL
		[uwsgi]
		plugin = python3
		domain = $domain
		wsgi-file = /containers/$uid/app.py
	VASSAL
}

# ask DOMAIN [CURL-OPTION...]: the body of the answer.
ask()
{
	local domain=$1
	shift
	curl -sS -m 5 -H "Host: $domain" "$@" "http://127.0.0.1:$port/"
}

# answers DOMAIN TEXT: the site says TEXT.
answers()
{
	[[ $(ask "$1" -f 2>/dev/null) == *"$2"* ]]
}

# says_status DOMAIN STATUS...
says_status()
{
	local got domain=$1
	shift
	got=$(ask "$domain" -o /dev/null -w '%{http_code}')
	[[ " $* " == *" $got "* ]]
}

# shim_state UID JQ: a value of the shim's state.
shim_state()
{
	fief-shim state --prefix "$P" --json "$1" | jq -r "$2"
}

# Host pids of all processes of a container.
container_pids()
{
	cat "/sys/fs/cgroup/pids/fief/$1/cgroup.procs" 2>/dev/null ||
		cat "/sys/fs/cgroup/fief/$1/cgroup.procs"
}

platform_down()
{
	local uid
	for uid; do
		container_down "$uid"
	done
	stop_all
	for uid in /sys/fs/cgroup/fief /sys/fs/cgroup/*/fief; do
		[[ ! -d $uid ]] || rmdir "$uid" 2>/dev/null || true
	done
}
