# shellcheck shell=bash disable=SC2034,SC2154 # names that tests use, or set
# For the bats files of the router: load ../lib/router after ../lib/common
#
# A router, vassals and nodes below $prefix, the test's directory. Customers are uids 31001 and 31002.

router_source=$(dirname "${BASH_SOURCE[0]}")

# router_setup: directories, a key pair per customer, the key files of a.example and b.example.
router_setup()
{
	prefix=$BATS_TEST_TMPDIR
	local dir=$prefix uid
	while [[ $dir != /tmp && $dir != / ]]; do
		chmod 0711 "$dir" # customers must pass
		dir=$(dirname "$dir")
	done
	mkdir -p "$prefix"/{keys,run,packets,lib}
	# customers run these; the tree may lie where they cannot read, as below /root
	router_lib=$prefix/lib
	cp "$router_source"/*.py "$router_lib"
	chmod -R a+rX "$router_lib"
	chmod 0777 "$prefix/packets"
	for uid in 31001 31002; do
		mkdir -p "$prefix/containers/$uid/run"
		private_key "$uid" "$prefix/containers/$uid/key"
		chown -R "$uid:$uid" "$prefix/containers/$uid"
		chmod 0711 "$prefix/containers/$uid"
	done
	public_key a.example 31001
	public_key b.example 31002
	cat >"$prefix/app.py" <<-'APP'
		import os
		def application(env, start):
		    length = int(env.get('CONTENT_LENGTH') or 0)
		    body = ('%d %s %s' % (os.getpid(), env['PATH_INFO'], env['REMOTE_PORT'])).encode()
		    if length:
		        got, part = 0, b'x'
		        while got < length and part:
		            part = env['wsgi.input'].read(min(65536, length - got))
		            got += len(part)
		        body = b'%d' % got
		    start('200 OK', [('Content-Type', 'text/plain')])
		    return [body]
	APP
}

# private_key UID FILE: the customer's; made once for all tests of the file.
private_key()
{
	local made=$BATS_FILE_TMPDIR/key.$1
	[[ -e $made ]] || openssl genrsa -out "$made" 2048 2>/dev/null
	cp "$made" "$2"
}

# public_key NAME UID: the customer's key is that of NAME.
public_key()
{
	openssl rsa -in "$prefix/containers/$2/key" -pubout -out "$prefix/keys/$1.pem" 2>/dev/null
}

# router_start [NAME [OPTION...]]: sets $port; --keys unless --unsigned is given.
router_start()
{
	local name=${1:-router} keys=(--keys "$prefix/keys")
	[[ $* != *--unsigned* ]] || keys=()
	start_bg "$name" fief-router --http 127.0.0.1:0 --subscribe "unix:$prefix/run/sub" \
		"${keys[@]}" --control "$prefix/run/control" --prefix "$prefix" "${@:2}"
	wait_for 5 grep -q 'listening on' "$prefix/$name.log"
	router_pid=$bg_pid
	port=$(sed -n 's/.*listening on http=[^ ]*:\([0-9]*\) .*/\1/p' "$prefix/$name.log")
}

# as UID CMD...
as()
{
	setpriv --reuid "$1" --regid "$1" --clear-groups -- "${@:2}"
}

# vassal NAME [LINE...]: a real uWSGI of customer 31001 with the lines in its configuration.
vassal()
{
	local name=$1
	shift
	printf '%s\n' '[uwsgi]' 'plugins = python3' 'master = true' 'processes = 1' \
		'die-on-term = true' \
		"socket = $prefix/containers/31001/run/$name.socket" 'chmod-socket = 666' \
		"wsgi-file = $prefix/app.py" "$@" >"$prefix/$name.ini"
	start_bg "$name" setpriv --reuid 31001 --regid 31001 --clear-groups -- \
		uwsgi-core --ini "$prefix/$name.ini"
}

# signed_by_uwsgi NAME [DIGEST [SERVER]]: the line that subscribes vassal NAME to a.example.
signed_by_uwsgi()
{
	echo "subscribe2 = server=${3:-$prefix/run/sub},key=a.example,addr=/containers/31001/run/$1.socket,sign=${2:-SHA256}:$prefix/containers/31001/key"
}

# nodes UID NAME=MODE...: misbehaving nodes of a customer, see backend.py.
nodes()
{
	local uid=$1 words=() word
	shift
	for word; do
		words+=("$prefix/containers/$uid/run/$word")
	done
	start_bg "nodes$uid" setpriv --reuid "$uid" --regid "$uid" --clear-groups -- \
		"$router_lib/backend.py" "${words[@]}"
	wait_for 5 grep -q ready "$prefix/nodes$uid.log"
}

# packet KEY ADDRESS [WORD...]: a packet, see subscription.py.
packet()
{
	"$router_lib/subscription.py" make "$@"
}

# send_as UID [TARGET] [flip]: sends the packet on stdin.
send_as()
{
	as "$1" "$router_lib/subscription.py" send "${2:-$prefix/run/sub}" "${@:3}"
}

# announce UID KEY NAME [WORD...]: a good signed subscription of node NAME.
announce()
{
	packet "$2" "/containers/$1/run/$3" "sign=SHA256:$prefix/containers/$1/key" "${@:4}" |
		send_as "$1"
}

# The statistics, by a jq filter.
stats()
{
	socat -u "UNIX-CONNECT:$prefix/run/control" - | jq -r "$1"
}

# stats_are FILTER VALUE
stats_are()
{
	[[ $(stats "$1") == "$2" ]]
}

# refused REASON: how many were.
refused()
{
	stats ".refused[\"$1\"]"
}

# fetch PATH [CURL OPTION...]: of $host (a.example); prints body and status.
fetch()
{
	curl -s --max-time 20 -w '%{http_code}' -H "Host: ${host:-a.example}" \
		"${@:2}" "http://127.0.0.1:$port$1"
}

fetch_is()
{
	[[ $(fetch /) == "$1" ]]
}

# status_of [HOST]: of a request.
status_of()
{
	curl -s --max-time 20 -o /dev/null -w '%{http_code}' -H "Host: ${1:-a.example}" \
		"http://127.0.0.1:$port/"
}

status_is()
{
	[[ $(status_of "${2:-a.example}") == "$1" ]]
}

# raw TEXT: sends bytes (printf escapes), prints what comes back until the end.
raw()
{
	printf '%b' "$1" | socat -t 5 - "TCP:127.0.0.1:$port" || true
}
