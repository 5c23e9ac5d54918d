#!/usr/bin/env bats
# The router on the real thing: Debian's unmodified uWSGI signs and serves, without containers.
# shellcheck disable=SC2154 # status, output, port, prefix, router_pid and bg_pid are set by helpers

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/router

setup()
{
	router_setup
}

teardown()
{
	stop_seconds=0 stop_all # nothing is asked of them any more, and uWSGI takes a second
}

logged()
{
	wait_for 3 grep -q "$1" "$prefix/router.log"
}

@test "a site of a signing uWSGI answers 200, with SHA-256, SHA-1 and SHA-512" {
	router_start
	for digest in SHA256 SHA1 SHA512; do
		vassal "v$digest" "$(signed_by_uwsgi "v$digest" "$digest")"
		wait_for 5 stats_are '.subscriptions[0].nodes | map(select(.alive)) | length' 1
		run fetch /path%20x?q=1
		[[ $output == *' /path x '*200 ]]
		stop_bg "v$digest"
	done
	[ "$(refused signature)" -eq 0 ]
	# three digests in a row, each its own node, none refused
	[ "$(stats .accepted.new)" -ge 3 ]
}

@test "the port of the client arrives in the right byte order" {
	router_start
	vassal v "$(signed_by_uwsgi v)"
	wait_for 5 status_is 200
	run curl -s -H 'Host: a.example' -w ' %{local_port}' "http://127.0.0.1:$port/"
	# shellcheck disable=SC2086 # words
	set -- $output
	[ "$3" = "$4" ]
}

@test "an unsigned subscription, and one of a wrong key, get no route and are logged" {
	router_start
	nodes 31001 x=say:x
	packet a.example /containers/31001/run/x | send_as 31001
	logged 'refused (unsigned)'
	packet a.example /containers/31001/run/x "sign=SHA256:$prefix/containers/31002/key" | send_as 31001
	logged 'refused (signature)'
	packet c.example /containers/31001/run/x "sign=SHA256:$prefix/containers/31001/key" | send_as 31001
	logged 'refused (no-key)'
	packet a.example /containers/31001/run/x "sign=SHA256:$prefix/containers/31001/key" unix=1 | send_as 31001
	logged 'refused (time)'
	packet a.example /containers/31001/run/x "sign=SHA256:$prefix/containers/31001/key" \
		"unix=$(($(date +%s) + 100))" | send_as 31001
	wait_for 3 stats_are .refused.time 2
	printf 'garbage' | send_as 31001
	logged 'refused (malformed)'
	status_is 404
	[ "$(stats '.subscriptions | length')" -eq 0 ]
}

@test "a replayed subscription does nothing while its node lives, and gets no route when it is gone" {
	router_start
	start_bg tap setpriv --reuid 31001 --regid 31001 --clear-groups -- \
		"$router_lib/subscription.py" tap "$prefix/packets/tap" "$prefix/run/sub" "$prefix/packets"
	wait_for 5 test -S "$prefix/packets/tap"
	vassal v "$(signed_by_uwsgi v SHA256 "$prefix/packets/tap")"
	wait_for 5 test -e "$prefix/packets/2"
	wait_for 5 stats_are .accepted.refresh 1
	# alive: the first one is old; the second, flipped, is no unsubscribe
	send_as 31001 "$prefix/run/sub" <"$prefix/packets/1"
	wait_for 3 stats_are .refused.replay 1
	send_as 31001 "$prefix/run/sub" flip <"$prefix/packets/2"
	wait_for 3 stats_are .refused.replay 2
	send_as 31001 "$prefix/run/sub" flip <"$prefix/packets/1"
	wait_for 3 stats_are .refused.replay 3
	status_is 200
	# gone
	stop_bg v
	wait_for 5 test -e "$prefix/packets/3"
	wait_for 3 stats_are .accepted.leave 1
	for n in 1 2; do
		send_as 31001 "$prefix/run/sub" <"$prefix/packets/$n"
		wait_for 3 stats_are .refused.replay $((2 + 2 * n))
		send_as 0 "$prefix/run/sub" <"$prefix/packets/$n"
		wait_for 3 stats_are .refused.replay $((3 + 2 * n))
	done
	send_as 31001 "$prefix/run/sub" flip <"$prefix/packets/3"
	wait_for 3 stats_are .refused.replay 8
	logged 'refused (replay)'
	wait_for 3 stats_are '.subscriptions[0].nodes[0].alive' false
	status_is 503
}

@test "a replayed unsubscribe does not take down the vassal that is back" {
	router_start
	nodes 31001 x=say:x
	now=$(date +%s)
	key="sign=SHA256:$prefix/containers/31001/key"
	packet a.example /containers/31001/run/x "$key" unix="$now" >"$prefix/one"
	packet a.example /containers/31001/run/x "$key" unix=$((now + 1)) leave >"$prefix/leave"
	packet a.example /containers/31001/run/x "$key" unix=$((now + 2)) >"$prefix/two"
	for file in one leave two leave; do
		send_as 31001 "$prefix/run/sub" <"$prefix/$file"
	done
	wait_for 3 stats_are .refused.replay 1
	[ "$(stats .accepted.leave)" -eq 1 ]
	status_is 200
}

@test "another customer's address, and a network address, are refused and logged" {
	router_start
	nodes 31002 x=say:other
	for address in /containers/31002/run/x /containers/31001/../31002/run/x /run/x 127.0.0.1:80; do
		packet a.example "$address" "sign=SHA256:$prefix/containers/31001/key" | send_as 31001
	done
	wait_for 3 stats_are .refused.address 4
	logged "node='/containers/31002/run/x' uid=31001.*refused (address)"
	# a uid that is no customer's
	announce 31001 a.example x
	packet a.example /containers/31001/run/x "sign=SHA256:$prefix/containers/31001/key" | send_as 1000
	wait_for 3 stats_are .refused.address 5
}

@test "a link to another customer's socket is not followed" {
	router_start
	nodes 31002 x=say:other
	as 31001 ln -s "$prefix/containers/31002/run/x" "$prefix/containers/31001/run/link"
	as 31001 ln -s "$prefix/containers/31002/run" "$prefix/containers/31001/dir"
	as 31001 touch "$prefix/containers/31001/run/file"
	announce 31001 a.example link
	wait_for 3 stats_are .accepted.new 1
	status_is 502
	packet a.example /containers/31001/dir/x "sign=SHA256:$prefix/containers/31001/key" | send_as 31001
	announce 31001 a.example file
	wait_for 3 stats_are .accepted.new 3
	status_is 502
	run grep -c connection "$prefix/nodes31002.log"
	[ "$output" -eq 0 ]
}

@test "a key with an owner is for its uids alone" {
	router_start
	nodes 31001 x=say:x
	echo '{"customer": "c", "uids": [31002]}' >"$prefix/keys/a.example.json"
	announce 31001 a.example x
	logged 'refused (owner)'
	echo '{"uids": [31002, 31001]}' >"$prefix/keys/a.example.json"
	announce 31001 a.example x
	wait_for 3 status_is 200
	# what cannot be understood lets nobody in
	echo '{"uid": [31001]}' >"$prefix/keys/a.example.json"
	announce 31001 a.example x "unix=$(($(date +%s) + 1))"
	logged 'refused (no-key)'
}

@test "a changed key file counts at once, several keys in one file all do, a removed one none" {
	router_start
	nodes 31001 x=say:x
	now=$(date +%s)
	cat "$prefix/keys/b.example.pem" >"$prefix/keys/a.example.pem"
	announce 31001 a.example x unix="$now"
	wait_for 3 stats_are .refused.signature 1
	openssl rsa -in "$prefix/containers/31001/key" -pubout 2>/dev/null >>"$prefix/keys/a.example.pem"
	announce 31001 a.example x unix="$now"
	wait_for 3 stats_are .accepted.new 1
	rm "$prefix/keys/a.example.pem"
	announce 31001 a.example x "unix=$((now + 1))"
	wait_for 3 stats_are '.refused["no-key"]' 1
}

@test "EC and Ed25519 keys verify too" {
	router_start
	nodes 31001 x=say:x
	openssl ecparam -genkey -name prime256v1 -noout -out "$prefix/containers/31001/key"
	chown 31001 "$prefix/containers/31001/key"
	openssl ec -in "$prefix/containers/31001/key" -pubout -out "$prefix/keys/a.example.pem" 2>/dev/null
	announce 31001 a.example x
	wait_for 3 status_is 200
}

# bad_key KIND: as the key of a.example.
bad_key()
{
	local file=$prefix/keys/a.example.pem
	rm -rf "$file"
	case $1 in
	weak) openssl genrsa 512 2>/dev/null | openssl rsa -pubout -out "$file" 2>/dev/null ;;
	huge) head -c 70000 /dev/zero >"$file" ;;
	garbage) echo garbage >"$file" ;;
	empty) : >"$file" ;;
	link) ln -s missing "$file" ;;
	directory) mkdir "$file" ;;
	fifo) mkfifo "$file" ;;
	owner) public_key a.example 31001 && mkfifo "$prefix/keys/a.example.json" ;;
	esac
}

@test "a key file that is weak, huge, garbage, a link to nothing, a directory or a FIFO lets nobody in" {
	router_start
	nodes 31001 x=say:x
	n=0
	for kind in weak huge garbage empty link directory fifo owner; do
		bad_key $kind
		announce 31001 a.example x
		wait_for 3 stats_are '.refused["no-key"]' $((++n))
	done
	rm "$prefix/keys/a.example.json"
	announce 31001 a.example x
	wait_for 3 status_is 200
	# an owner file that comes later counts, whatever it is
	mkdir "$prefix/keys/a.example.json"
	announce 31001 a.example x "unix=$(($(date +%s) + 1))"
	wait_for 3 stats_are '.refused["no-key"]' $((n + 1))
}

@test "a flood of bad signatures costs the customer that sends it" {
	router_start
	nodes 31002 x=say:x
	packet b.example /containers/31001/run/x "sign=SHA256:$prefix/containers/31001/key" |
		send_as 31001 "$prefix/run/sub" times=500
	announce 31002 b.example x
	wait_for 3 status_is 200 b.example
	wait_for 3 stats_are '.refused.flood + .refused.signature' 500
	[ "$(refused signature)" -le 192 ] # 64 in a second, of three at most
	wait_for 3 may_fail_again
}

may_fail_again()
{
	local before
	before=$(refused signature)
	packet b.example /containers/31001/run/x "sign=SHA256:$prefix/containers/31001/key" | send_as 31001
	wait_for 1 stats_are .refused.signature $((before + 1))
}

@test "a key has 128 nodes at most, and what they are is told by the log" {
	router_start router --unsigned
	packet a.example "/containers/31001/run/'x" | send_as 31001
	wait_for 3 stats_are .refused.malformed 1
	packet a.example /containers/31001/run/x | send_as 31001 "$prefix/run/sub" nodes=130
	wait_for 3 stats_are .refused.full 2
	[ "$(stats '.subscriptions[0].nodes | length')" -eq 128 ]
	logged 'refused (full): too many nodes'
}

@test "the router lives on when nobody reads its log" {
	mkfifo "$prefix/log"
	head -n 1 "$prefix/log" >"$prefix/router.log" 3>&- &
	start_bg deaf bash -c "exec fief-router --http 127.0.0.1:0 --subscribe 'unix:$prefix/run/sub' \
		--control '$prefix/run/control' --workers 1 2>'$prefix/log'"
	logged 'listening on'
	for n in 1 2 3; do
		printf 'garbage' | send_as 31001
		wait_for 3 stats_are .refused.malformed "$n"
	done
}

# How often vassal NAME has come up.
starts_of()
{
	grep -c 'spawned uWSGI worker 1 ' "$prefix/$1.log"
}

# reloaded NAME PID N: vassal NAME has come up N times, and its master catches SIGHUP again, which
# would kill it before.
reloaded()
{
	(($(starts_of "$1") >= $3)) && ((0x$(awk '/^SigCgt:/ { print $2 }' "/proc/$2/status") & 1))
}

packets_kept()
{
	find "$prefix/packets" -name '*[0-9]' | wc -l
}

all_kept_are_accepted()
{
	[[ $(stats '[.accepted[]] | add') -eq $(packets_kept) ]]
}

# Eight vassals side by side, since uWSGI takes a second for each; FIEF_RELOADS is for each of them.
@test "over 100 reloads of vassals every new subscription is accepted at once" {
	router_start
	start_bg tap setpriv --reuid 31001 --regid 31001 --clear-groups -- \
		"$router_lib/subscription.py" tap "$prefix/packets/tap" "$prefix/run/sub" "$prefix/packets"
	wait_for 5 test -S "$prefix/packets/tap"
	masters=()
	for v in {1..8}; do
		vassal "v$v" "$(signed_by_uwsgi "v$v" SHA256 "$prefix/packets/tap")"
		masters+=("$bg_pid")
	done
	wait_for 10 stats_are .accepted.new 8
	for v in {1..8}; do
		wait_for 5 reloaded "v$v" "${masters[v - 1]}" 1
	done
	for i in $(seq "${FIEF_RELOADS:-13}"); do
		kill -HUP "${masters[@]}"
		for v in {1..8}; do
			wait_for 15 reloaded "v$v" "${masters[v - 1]}" $((i + 1))
		done
		status_is 200
	done
	[ "$(stats '[.refused[]] | add')" -eq 0 ]
	wait_for 5 all_kept_are_accepted
	[ "$(packets_kept)" -ge $((8 * ${FIEF_RELOADS:-13})) ]
}

@test "a vassal that is stopped and started again is back at once, within any second" {
	router_start
	for i in $(seq 5); do
		vassal "v$i" "$(signed_by_uwsgi v)" "socket = $prefix/containers/31001/run/v.socket"
		wait_for 1 status_is 200
		stop_bg "v$i"
		wait_for 3 status_is 503
	done
}

@test "a node goes by unsubscribe, and its site is 503 for a while" {
	router_start
	vassal v "$(signed_by_uwsgi v)"
	wait_for 5 status_is 200
	stop_bg v
	wait_for 3 stats_are .accepted.leave 1
	status_is 503
	logged "uid=31001 from='' unsubscribed"
}

@test "a node goes by silence" {
	router_start router --tolerance 1
	nodes 31001 x=say:x
	announce 31001 a.example x
	wait_for 3 status_is 200
	wait_for 3 stats_are .silent 1
	status_is 503
	logged 'gone by silence'
}

@test "a node that cannot be reached is passed over until it is announced again" {
	router_start router --workers 1
	nodes 31001 x=say:x
	announce 31001 a.example dead
	announce 31001 a.example x
	wait_for 3 stats_are .accepted.new 2
	for _ in 1 2 3 4; do
		[ "$(fetch /)" = x200 ]
	done
	stop_bg nodes31001
	[ "$(status_of)" -eq 502 ]
	[ "$(status_of)" -eq 503 ] # both are known to be dead
	rm "$prefix/containers/31001/run/x"
	nodes 31001 x=say:again
	announce 31001 a.example x "unix=$(($(date +%s) + 1))"
	wait_for 3 fetch_is again200
	logged "status=502 host='a.example' node='/containers/31001/run/x' cause='connect: connection refused'"
	logged "status=503 host='a.example' node='' cause='no node is up'"
}

@test "weights share the requests as in uWSGI" {
	router_start router --workers 1
	nodes 31001 1=say:1 2=say:2 3=say:3
	for w in 1 2 4; do
		announce 31001 a.example $((w == 4 ? 3 : w)) weight=$w
	done
	wait_for 3 stats_are .accepted.new 3
	got=
	for _ in $(seq 14); do
		got+=$(fetch / | head -c 1)
	done
	[ "$got" = 31223333122333 ]
}

@test "keys are found without case, with and without port, and by suffix" {
	router_start router --unsigned
	nodes 31001 a=say:a p=say:p w=say:w
	packet A.example /containers/31001/run/a | send_as 31001
	packet a.example:8080 /containers/31001/run/p | send_as 31001
	packet .wild.example /containers/31001/run/w | send_as 31001
	wait_for 3 stats_are .accepted.new 3
	[ "$(host=a.EXAMPLE fetch /)" = a200 ]
	[ "$(host=a.example:9 fetch /)" = a200 ]
	[ "$(host=a.example:8080 fetch /)" = p200 ]
	[ "$(host=x.y.wild.example fetch /)" = w200 ]
	[ "$(host=wild.example fetch /)" != w200 ]
}

@test "a connection is kept for the next request" {
	router_start
	vassal v "$(signed_by_uwsgi v)"
	wait_for 5 status_is 200
	run curl -sv -H 'Host: a.example' "http://127.0.0.1:$port/[1-5]"
	[ "$status" -eq 0 ]
	[ "$(grep -c 'Re-using existing connection' <<<"$output")" -eq 4 ]
	run curl -s0 -D - -H 'Host: a.example' "http://127.0.0.1:$port/" # HTTP/1.0
	[[ $output == *'Connection: close'* && $output != *chunked* ]]
}

@test "pipelined requests are answered in order" {
	router_start
	nodes 31001 x=say:one
	announce 31001 a.example x
	wait_for 3 status_is 200
	one='GET / HTTP/1.1\r\nHost: a.example\r\n\r\n'
	run raw "$one$one${one}GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
	[ "$(grep -c '200 OK' <<<"$output")" -eq 4 ]
	# the body of the first is not taken for the second
	nodes 31002 c=count
	public_key a.example 31002
	announce 31002 a.example c
	run raw 'POST / HTTP/1.1\r\nHost: b.example\r\nContent-Length: 5\r\n\r\nhello'
	[[ $output == *404* ]]
}

@test "a body of some megabytes arrives whole, also after 100-continue" {
	router_start
	vassal v "$(signed_by_uwsgi v)"
	wait_for 5 status_is 200
	head -c 5000000 /dev/urandom >"$prefix/body"
	[ "$(fetch / --data-binary "@$prefix/body")" = 5000000200 ]
	[ "$(fetch / --data-binary "@$prefix/body" -H 'Expect:')" = 5000000200 ]
	run fetch / --data-binary "@$prefix/body" -H 'Expect: 100-continue' -v
	[[ $output == *'HTTP/1.1 100 Continue'* ]]
}

@test "a node may answer without reading the body" {
	router_start
	nodes 31001 e=early
	announce 31001 a.example e
	wait_for 3 stats_are .accepted.new 1
	head -c 5000000 /dev/zero >"$prefix/body"
	run fetch / --data-binary "@$prefix/body" -H 'Expect:'
	[[ $output == early200* ]]
}

@test "large responses arrive whole, in every framing" {
	router_start
	cat >"$prefix/app.py" <<-'APP'
		def application(env, start):
		    data = [b'0123456789abcdef' * 4096] * 100
		    headers = [('X-A', 'b')]
		    if env['PATH_INFO'] == '/length':
		        headers.append(('Content-Length', '6553600'))
		    if env['PATH_INFO'] == '/chunked':
		        headers.append(('Transfer-Encoding', 'chunked'))
		        data = [b'%x\r\n%s\r\n' % (len(d), d) for d in data] + [b'0\r\n\r\n']
		    start('200 OK', headers)
		    return data
	APP
	vassal v "$(signed_by_uwsgi v)"
	wait_for 5 status_is 200
	for path in length chunked close; do
		[ "$(fetch /$path -o "$prefix/got")" = 200 ]
		[ "$(stat -c %s "$prefix/got")" -eq 6553600 ]
		[ "$(fetch /$path -0 -o "$prefix/got")" = 200 ]
		[ "$(stat -c %s "$prefix/got")" -eq 6553600 ]
	done
	run fetch /length --limit-rate 20M -o /dev/null
	[ "$output" = 200 ]
	run curl -sI -H 'Host: a.example' "http://127.0.0.1:$port/length" "http://127.0.0.1:$port/close"
	[ "$status" -eq 0 ]
	[ "$(grep -c '200 OK' <<<"$output")" -eq 2 ]
}

@test "what two parsers could read in two ways is refused, and ends the connection" {
	router_start
	nodes 31001 c=count
	announce 31001 a.example c
	wait_for 3 status_is 200
	run "$router_lib/requests.py" "$port" a.example
	[[ $output =~ ^1[0-9][0-9]$ ]]
	# what clients do wrong is not for the log
	run grep -c 'status=' "$prefix/router.log"
	[ "$output" -eq 0 ]
}

@test "idle connections and heads that do not end leave descriptors for requests" {
	router_start router --workers 1
	nodes 31001 x=say:x
	announce 31001 a.example x
	wait_for 3 status_is 200
	prlimit --nofile=64:64 --pid "$(stats '.workers[0].pid')"
	for sent in '' GET; do
		start_bg "holder$sent" python3 -c "import signal, socket
held = [socket.create_connection(('127.0.0.1', $port)) for _ in range(100)]
for s in held: s.send(b'$sent')
print('held', flush=True)
signal.pause()"
		wait_for 5 grep -q held "$prefix/holder$sent.log"
		for _ in 1 2 3; do
			[ "$(fetch /)" = x200 ]
		done
	done
}

@test "status pages: 400 404 408 411 413 414 417 431 501 505" {
	router_start router --headers-timeout 1 --max-body 1
	run raw 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'
	[[ $output == 'HTTP/1.1 400 '*X-Request-Id:* ]]
	[ "$(status_of unknown.example)" -eq 404 ]
	run raw 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
	[[ $output == 'HTTP/1.1 411 '* ]]
	run raw 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n'
	[[ $output == 'HTTP/1.1 413 '* ]]
	run raw "GET /$(head -c 20000 /dev/zero | tr '\0' a) HTTP/1.1\r\nHost: a\r\n\r\n"
	[[ $output == 'HTTP/1.1 414 '* ]]
	run raw 'GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n'
	[[ $output == 'HTTP/1.1 417 '* ]]
	run raw "GET / HTTP/1.1\r\nHost: a\r\nX: $(head -c 40000 /dev/zero | tr '\0' a)\r\n\r\n"
	[[ $output == 'HTTP/1.1 431 '* ]]
	run raw 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n'
	[[ $output == 'HTTP/1.1 501 '* ]]
	run raw 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
	[[ $output == 'HTTP/1.1 505 '* ]]
	run bash -c "exec 5<>/dev/tcp/127.0.0.1/$port; printf 'GET / HT' >&5; cat <&5"
	[[ $output == 'HTTP/1.1 408 '* ]]
}

@test "a node that answers garbage, nothing or half is 502, or ends the connection" {
	router_start router --http-timeout 1 --workers 1
	cases=('garbage\r\n' 'HTTP/1.1 200 OK\nX: y\n\n' '' 'HTTP/1.1 200 OK\r\nX' 'HTTP/1.1 101 Up\r\n\r\n')
	words=()
	for i in "${!cases[@]}"; do
		words+=("$i=raw:${cases[i]}")
	done
	nodes 31001 "${words[@]}" 'half=raw:HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf' \
		'more=raw:HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhalf and more' \
		'early=raw:HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' \
		silent=silent
	stamp=$(date +%s)
	announce_only()
	{
		[[ -z $last ]] || announce 31001 a.example "$last" leave "unix=$((++stamp))"
		announce 31001 a.example "$1" "unix=$((++stamp))"
		last=$1
		wait_for 3 stats_are '[.subscriptions[0].nodes[] | select(.alive).name] | join(" ")' \
			"/containers/31001/run/$1"
	}
	last=
	for i in "${!cases[@]}"; do
		announce_only "$i"
		[ "$(status_of)" -eq 502 ]
	done
	announce_only half
	run -18 fetch / # a partial file
	announce_only more
	[ "$(fetch /)" = half200 ]
	announce_only early
	[ "$(fetch /)" = ok200 ]
	announce_only silent
	[ "$(status_of)" -eq 504 ]
	logged "status=502 .* node='/containers/31001/run/0' cause='its answer is malformed'"
	logged "status=502 .* node='/containers/31001/run/2' cause='it hung up without an answer'"
	logged "status=504 .* node='/containers/31001/run/silent' cause='no answer in time'"
	# a client that does not send its body is not the fault of the site
	run bash -c "exec 5<>/dev/tcp/127.0.0.1/$port
		printf 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhell' >&5; cat <&5"
	[[ $output == 'HTTP/1.1 408 '* ]]
}

@test "a full listen queue is busy, not dead" {
	router_start router --workers 1 --connect-timeout 1
	nodes 31001 full=full x=say:x
	announce 31001 a.example full
	announce 31001 a.example x
	wait_for 3 stats_are .accepted.new 2
	for _ in 1 2 3 4 5; do
		[ "$(fetch /)" = x200 ]
	done
	announce 31001 a.example x leave
	wait_for 3 stats_are .accepted.leave 1
	[ "$(status_of)" -eq 503 ]
	logged "status=503 .* node='/containers/31001/run/full' cause='its listen queue is full'"
}

@test "all workers see one table, also one that was killed" {
	router_start router --workers 2
	nodes 31001 x=say:x
	announce 31001 a.example x
	wait_for 3 status_is 200
	# each worker is asked: the other one is stopped
	for id in 0 1; do
		other=$(stats ".workers[$((1 - id))].pid")
		kill -STOP "$other"
		[ "$(status_of)" -eq 200 ]
		kill -CONT "$other"
	done
	victim=$(stats '.workers[0].pid')
	kill -KILL "$victim"
	wait_for 5 stats_are '.workers[0].restarts' 1
	other=$(stats '.workers[1].pid')
	kill -STOP "$other"
	run status_of
	kill -CONT "$other"
	[ "$output" -eq 200 ]
	logged 'died (signal 9)'
}

@test "subscriptions by UDP: the sender's own address alone" {
	udp=$(free_port)
	tcp=$(free_port)
	router_start router --subscribe "udp:127.0.0.1:$udp"
	start_bg tcpnode "$router_lib/backend.py" "$tcp=say:tcp"
	wait_for 5 grep -q ready "$prefix/tcpnode.log"
	key="sign=SHA256:$prefix/containers/31001/key"
	packet a.example "127.0.0.2:$tcp" "$key" | send_as 31001 "udp:127.0.0.1:$udp"
	packet a.example /containers/31001/run/x "$key" | send_as 31001 "udp:127.0.0.1:$udp"
	wait_for 3 stats_are .refused.address 2
	packet a.example "127.0.0.1:$tcp" "$key" | send_as 31001 "udp:127.0.0.1:$udp"
	wait_for 3 status_is 200
	[ "$(fetch /)" = tcp200 ]
	stop_bg tcpnode
	[ "$(status_of)" -eq 502 ]
	# the networks of an owner
	echo '{"networks": ["10.0.0.0/8"]}' >"$prefix/keys/a.example.json"
	packet a.example "127.0.0.1:$tcp" "$key" "unix=$(($(date +%s) + 1))" | send_as 31001 "udp:127.0.0.1:$udp"
	wait_for 3 stats_are .refused.owner 1
}

@test "host root may announce any socket, signed all the same" {
	router_start
	nodes 31002 x=say:x
	key="sign=SHA256:$prefix/containers/31001/key"
	packet a.example "$prefix/containers/31002/run/x" | send_as 0
	wait_for 3 stats_are .refused.unsigned 1
	packet a.example "$prefix/containers/31002/run/x" "$key" | send_as 0
	wait_for 3 status_is 200
}

@test "without --keys nothing is accepted unless --unsigned is given" {
	start_bg router fief-router --http 127.0.0.1:0 --subscribe "unix:$prefix/run/sub" --prefix "$prefix"
	logged 'listening on'
	announce 31001 a.example x
	logged 'refused (unsigned): neither --keys nor --unsigned'
	stop_bg router
	router_start router2 --unsigned
	packet a.example /containers/31001/run/x | send_as 31001
	wait_for 3 stats_are .accepted.new 1
}

@test "a restart leaves no gap at the subscription socket, and the old router does not remove the new one" {
	router_start
	old_pid=$router_pid
	inode=$(stat -c %i "$prefix/run/sub")
	router_start second --workers 1
	[ "$(stat -c %i "$prefix/run/sub")" != "$inode" ]
	kill -TERM "$old_pid"
	wait_for 5 bg_ended router
	nodes 31001 x=say:x
	announce 31001 a.example x
	wait_for 3 status_is 200
	# a killed one leaves a stale socket, which is no obstacle
	kill -KILL -- "-$router_pid"
	wait_for 5 bg_ended second
	router_start third
	announce 31001 a.example x "unix=$(($(date +%s) + 1))"
	wait_for 3 status_is 200
	stop_bg third
	[ ! -e "$prefix/run/sub" ]
	[ ! -e "$prefix/run/control" ]
}

@test "SIGTERM lets a request finish and exits 0" {
	cat >"$prefix/app.py" <<-'APP'
		import time
		def application(env, start):
		    open(env['HTTP_X_MARK'], 'w').close()
		    time.sleep(1)
		    start('200 OK', [])
		    return [b'slow']
	APP
	router_start
	vassal v "$(signed_by_uwsgi v)"
	wait_for 5 stats_are .accepted.new 1
	fetch / -H "X-Mark: $prefix/packets/mark" >"$prefix/answer" 3>&- &
	fetched=$!
	wait_for 5 test -e "$prefix/packets/mark"
	kill -TERM "$router_pid"
	wait "$fetched"
	[ "$(cat "$prefix/answer")" = slow200 ]
	wait_for 5 bg_ended router
	run -7 fetch / # nobody listens
	start_bg other bash -c "fief-router --http 127.0.0.1:0 --workers 1; echo status \$?"
	wait_for 3 grep -q listening "$prefix/other.log"
	kill -TERM "$(pgrep -P "$bg_pid")"
	wait_for 3 grep -q 'status 0' "$prefix/other.log"
}

@test "with --user nothing runs as root or has a capability, and sites answer" {
	chmod 0755 "$prefix/keys"
	router_start router --user nobody --workers 1
	nodes 31001 x=say:x
	announce 31001 a.example x
	wait_for 3 status_is 200
	for pid in "$router_pid" "$(stats '.workers[0].pid')"; do
		run grep -E '^(Uid|Gid|Groups|CapPrm|CapEff|CapAmb|NoNewPrivs):' "/proc/$pid/status"
		[[ $output == *$'CapPrm:\t0000000000000000'* ]]
		[[ $output == *$'CapEff:\t0000000000000000'* ]]
		[[ $output == *$'NoNewPrivs:\t1'* ]]
		[ "$(awk '/^Uid:/ { print $2 $3 $4 $5 }' "/proc/$pid/status")" = 65534655346553465534 ]
	done
}

@test "an idle connection ends after its time, and a flood of log lines is cut" {
	router_start router --keepalive 1
	nodes 31001 x=say:x
	announce 31001 a.example x
	wait_for 3 status_is 200
	run bash -c "exec 5<>/dev/tcp/127.0.0.1/$port; printf 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n' >&5; cat <&5"
	[[ $output == *x ]]
	python3 -c "import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for i in range(3000): s.sendto(b'garbage', '$prefix/run/sub')"
	wait_for 5 stats_are .refused.malformed 3000
	[ "$(grep -c malformed "$prefix/router.log")" -lt 100 ]
	printf 'garbage' | send_as 31001
	wait_for 3 stats_are .refused.malformed 3001
}

@test "bad flags give one line and status 2" {
	run fief-router
	assert_usage_error '--http is missing'
	run fief-router --http 127.0.0.1:0 --keys / --unsigned
	assert_usage_error 'exclude each other'
	run fief-router --http 127.0.0.1:0 --workers 0
	assert_usage_error "--workers"
	run fief-router --http 127.0.0.1:0 --workers x
	assert_usage_error "x"
	run fief-router --http 127.0.0.1:0 --subscribe /run/x
	assert_usage_error "'--subscribe /run/x'"
	run fief-router --http 127.0.0.1:0 --tolerance 0
	assert_usage_error
	run fief-router --http 127.0.0.1:0 --nonsense
	assert_usage_error nonsense
	run fief-router --http 127.0.0.1:0 operand
	assert_usage_error operand
}

@test "what cannot be opened gives one line and status 1" {
	for args in '--http 127.0.0.1:99999' '--http localhost:80' '--http 192.0.2.1:0' \
		"--http 127.0.0.1:0 --keys $prefix/missing" '--http 127.0.0.1:0 --user no-such-user' \
		'--http 127.0.0.1:0 --subscribe udp:x' \
		"--http 127.0.0.1:0 --subscribe unix:$prefix/$(printf 'a%.0s' {1..120})"; do
		# shellcheck disable=SC2086 # words
		run fief-router $args
		[ "$status" -eq 1 ]
		assert_one_line
	done
}
