#!/usr/bin/env bats
# fief-shim: a container with a real Emperor under its keeper.
# timeout: 420

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/images
load ../lib/keeper

uid=45301

setup_file()
{
	prefix=$BATS_FILE_TMPDIR/prefix
	export prefix
	mkdir -p "$prefix"
	pass_to "$prefix"
	test_image debian-12 "$prefix"
	new_container $uid debian-12 '.pids = 60'
	put_site
	start_container $uid
}

teardown_file()
{
	prefix=$BATS_FILE_TMPDIR/prefix
	stop_container $uid --timeout 1 ||
		fief --root "$prefix/run/fief/runtime" delete --force $uid
	refute_leftovers "$prefix" "/fief/$uid"
}

put_site()
{
	put_file $uid app.py 644 <<-'END'
		import os
		def application(env, start_response):
		    start_response("200 OK", [("Content-Type", "text/plain")])
		    return [f"{os.environ.get('WORD', 'hello')} uid {os.getuid()}".encode()]
	END
	put_vassal site <<-'END'
		plugin = python3
		domain = site.test
		wsgi-file = $(HOME)/app.py
	END
}

put_vassal()
{
	{
		echo '[uwsgi]'
		cat
	} | put_file $uid "vassals/$1.ini" 644
}

answer()
{
	python3 "$BATS_TEST_DIRNAME/../lib/uwsgi_get.py" \
		"$prefix/containers/$uid/run/site.test_site.ini.socket"
}

answers()
{
	[[ $(answer) == *"$1" ]]
}

# The vassal's file is noticed by its time in whole seconds.
answers_after_touch()
{
	touch "$prefix/containers/$uid/vassals/site.ini"
	answers "$1"
}

site_is_up()
{
	wait_for 20 answers "uid $uid"
}

@test "a vassal of three lines is a site with its socket and subscription" {
	site_is_up
	[[ $(answer) == "HTTP/1.1 200"* ]]
	[[ $(stat -c '%a %u' "$prefix/containers/$uid/run/site.test_site.ini.socket") == "666 $uid" ]]
	fief-shim logs $uid --prefix "$prefix" >"$BATS_TEST_TMPDIR/log"
	grep -q "subscribing to server=/run/subscribe/http,key=site.test,addr=/containers/$uid/run/site.test_site.ini.socket,sign=SHA256:/containers/$uid/etc/uwsgi.key" \
		"$BATS_TEST_TMPDIR/log"
	# lines have the time before them
	if grep -qvE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z ' "$BATS_TEST_TMPDIR/log"; then
		fail "a line without time"
	fi
}

@test "a vassal's environment is the customer's and it inherits nothing of the Emperor" {
	site_is_up
	run inside $uid sh -c 'cat /proc/$(pgrep -o uwsgi)/environ | tr "\0" "\n"'
	[[ $output == *"HOME=/containers/$uid"* ]]
	run inside $uid sh -c 'ls -l /proc/$(pgrep -o uwsgi)/fd'
	[[ $output == *"0 -> /dev/null"* && $output != *"emperor.stats"* && $output != *"status"* ]]
	put_vassal env <<-'END'
		exec-asap = printenv PATH > $(HOME)/path.seen
	END
	wait_for 10 test -s "$prefix/containers/$uid/path.seen"
	[[ $(cat "$prefix/containers/$uid/path.seen") == /usr/local/sbin:/usr/local/bin:* ]]
	rm "$prefix/containers/$uid/vassals/env.ini"
	[[ $(tr '\0' '\n' <"/proc/$(emperor $uid)/environ") != */usr/local* ]]
}

@test "ps as the customer shows vassals and sessions, neither init nor Emperor" {
	site_is_up
	run -0 inside $uid ps -eo pid,args
	[[ $output == *"--include /.fief/shortcuts.ini --ini site.ini"* ]]
	[[ $output == *"ps -eo"* ]]
	[[ $output != *"--emperor"* && $output != *"/.fief/fief-init"* ]]
	run inside $uid ls -d /proc/1
	[[ $status -ne 0 ]]
}

@test "every process of the customer is uid U without capabilities, none is host root" {
	site_is_up
	base=$((0x24000000 + (uid - 30001) * 65536))
	local others=0 pid ids
	for pid in $(members $uid); do
		ids=$(awk '/^[UG]id:/ { for (i = 2; i < 6; i++) print $i }' "/proc/$pid/status" | sort -u)
		if [[ $ids == "$base" ]]; then
			others=$((others + 1))
			[[ $(awk '/^CapBnd/ { print $2 }' "/proc/$pid/status") == 00000000000000e0 ]]
			continue
		fi
		[[ $ids == "$uid" ]] || fail "$pid: $ids"
		[[ $(awk '/^Cap(Prm|Eff|Inh|Amb)/ { print $2 }' "/proc/$pid/status" | sort -u) == 0000000000000000 ]]
		[[ $(awk '/^NoNewPrivs/ { print $2 }' "/proc/$pid/status") == 1 ]]
		[[ $(awk '/^Groups:/ { print $2 }' "/proc/$pid/status") == "" ]]
	done
	[[ $others -eq 2 ]] # init and the Emperor
}

@test "no signal and no trace of the customer reaches init or the Emperor" {
	site_is_up
	local init emperor
	init=$(state $uid .pid)
	emperor=$(emperor $uid)
	put_file $uid attack.py 644 <"$BATS_TEST_DIRNAME/../lib/attack.py"
	run -0 inside $uid python3 "/containers/$uid/attack.py" --all
	[[ ${lines[0]} == "hidden 2" ]] || fail "$output"
	[[ $output != *"went through"* ]] || fail "$output"
	[[ $output == *"killed all"* ]]
	# a shell of its own: the kill ends that too
	run inside $uid sh -c 'kill -9 -1'
	[[ $(state $uid .pid) == "$init" && $(emperor $uid) == "$emperor" ]]
	[[ $(state $uid .state) == running ]]
	site_is_up
}

@test "no line of a vassal runs as anything but the customer" {
	local word file host pid owner others
	for word in uid=0 uid=root gid=0 gid=root cap=setuid unshare=pid chroot=/; do
		put_vassal "evil-${word//[=\/]/-}" <<-END
			${word/=/ = }
			plugin = python3
			wsgi-file = \$(HOME)/app.py
			socket = /run/evil-${word//[=\/]/-}.socket
			exec-asap = id -u >> \$(HOME)/as-${word//[=\/]/-}
		END
	done
	put_vassal evil-hooks <<-'END'
		plugin = python3
		uid = 0
		gid = 0
		hook-asap = exec:id -u >> $(HOME)/as-hook-asap
		exec-asap = id -u >> $(HOME)/as-exec-asap
		hook-pre-jail = exec:id -u >> $(HOME)/as-hook-pre-jail
		hook-as-root = exec:id -u >> $(HOME)/as-hook-as-root
		exec-as-root = id -u >> $(HOME)/as-exec-as-root
		hook-as-user = exec:id -u >> $(HOME)/as-hook-as-user
		hook-as-vassal = exec:id -u >> $(HOME)/as-hook-as-vassal
		exec-as-emperor = id -u >> $(HOME)/as-exec-as-emperor
		vassals-start-hook = id -u >> $(HOME)/as-vassals-start-hook
		emperor-exec = id -u >> $(HOME)/as-emperor-exec
	END
	wait_for 20 test -s "$prefix/containers/$uid/as-exec-asap"
	wait_for 20 grep -q "evil-hooks.ini" "$(state_dir $uid)/log/container.log"
	for file in "$prefix/containers/$uid"/as-*; do
		wait_for 5 test -s "$file" # vassals that fail are started again and again
		[[ $(sort -u "$file") == "$uid" ]] || fail "$file: $(cat "$file")"
		[[ $(stat -c '%u %g' "$file") == "$uid $uid" ]]
	done
	host=$(find "$prefix/containers/$uid" -not -uid $uid)
	[[ -z $host ]] || fail "not the customer's: $host"
	others=0
	for pid in $(members $uid); do
		owner=$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status" 2>/dev/null) || continue # ended
		[[ $owner != 0 ]]
		[[ $owner == "$uid" ]] || others=$((others + 1))
	done
	((others <= 3)) # init, the Emperor, and its child that has just been forked
	rm "$prefix/containers/$uid/vassals"/evil-*
}

@test "vassals that are a link to files of another id start nothing" {
	local log
	log=$(state_dir $uid)/log/container.log
	site_is_up
	inside $uid sh -c 'cd && mv vassals parked && ln -s /.fief vassals'
	# the shortcuts belong to host root, who is nobody inside
	wait_for 20 grep -q "curse the uwsgi instance shortcuts.ini" "$log"
	inside $uid sh -c 'cd && rm vassals && mv parked vassals'
	! grep "has_emperor mode detected" -A 4 "$log" | grep -q "from shortcuts.ini" || fail "it was run"
	site_is_up
}

@test "the Emperor's stats socket cannot be reached or replaced by the customer" {
	local socket=/.fief/run/emperor.stats word
	run -0 inside $uid stat -c '%F %u' $socket
	[[ $output == "socket 0" ]]
	for word in "rm -f $socket" "mv $socket /.fief/run/x" "touch /.fief/run/x" "mv /.fief/run /.fief/x" \
		"ln -sf /tmp/x $socket" "chmod 777 /.fief/run" "touch /.fief/shortcuts.ini" "touch /.fief/x"; do
		run inside $uid sh -c "$word"
		[[ $status -ne 0 ]] || fail "$word"
	done
	run inside $uid python3 -c "import socket
s = socket.socket(socket.AF_UNIX)
s.connect('$socket')"
	[[ $status -ne 0 ]]
	run -0 inside $uid stat -c '%F %u' $socket
	# it is the real thing
	nsenter -t "$(state $uid .pid)" -m -U -S 0 -G 0 -- python3 -c "import json, socket
s = socket.socket(socket.AF_UNIX)
s.connect('$socket')
d = b''
while True:
    c = s.recv(65536)
    if not c:
        break
    d += c
assert json.loads(d)['emperor_tyrant'] == 1"
}

@test "editing a vassal reloads it, removing it stops it" {
	site_is_up
	put_vassal site <<-'END'
		plugin = python3
		domain = site.test
		wsgi-file = $(HOME)/app.py
		env = WORD=edited
	END
	wait_for 20 answers_after_touch "edited uid $uid"
	rm "$prefix/containers/$uid/vassals/site.ini"
	wait_for 20 refute_answer
	run inside $uid pgrep -f 'ini site.ini'
	[[ $status -ne 0 ]]
	put_site
	site_is_up
}

refute_answer()
{
	! answer
}

@test "a session has the customer's ids, environment, limits and no privileges" {
	run -0 inside $uid sh -c 'id -u; id -g; pwd; echo $HOME $USER $LOGNAME; echo $PATH; ulimit -n'
	[[ ${lines[0]} == "$uid" && ${lines[1]} == "$uid" && ${lines[2]} == "/containers/$uid" ]]
	[[ ${lines[3]} == "/containers/$uid $uid $uid" ]]
	[[ ${lines[4]} == /usr/local/* ]]
	[[ ${lines[5]} == "$(jq '.process.rlimits[] | select(.type == "RLIMIT_NOFILE").soft' \
		"$prefix/var/lib/fief/bundles/$uid/config.json")" ]]
	run -0 inside $uid cat /proc/self/status
	[[ $output == *"CapBnd:	0000000000000000"* && $output == *"NoNewPrivs:	1"* && $output == *"Seccomp:	2"* ]]
	run -0 inside $uid cat /proc/self/cgroup
	[[ $output != */fief/* ]] # of a cgroup namespace
	run inside $uid unshare -Ur true
	[[ $status -ne 0 ]]
}

@test "exec passes streams, status, environment and directory" {
	run -0 bash -c "seq 100000 | fief-shim exec $uid --prefix '$prefix' -- sha256sum"
	[[ ${output%% *} == "$(seq 100000 | sha256sum | cut -d' ' -f1)" ]]
	run --separate-stderr inside $uid sh -c 'echo out; echo err >&2; exit 7'
	[[ $status -eq 7 && $output == out && $stderr == err ]]
	run inside $uid sh -c 'kill -9 $$'
	[[ $status -eq 137 ]]
	run -0 fief-shim exec $uid --prefix "$prefix" --env A=b --env HOME=/x --cwd /tmp -- sh -c 'echo $A $HOME $PWD'
	[[ $output == "b /x /tmp" ]]
	run --separate-stderr inside $uid /no/such
	[[ $status -eq 1 && $stderr == *"/no/such"* ]]
	run fief-shim exec 45999 --prefix "$prefix" -- true
	[[ $status -eq 1 && $output == *"container 45999 is not running"* ]]
	run fief-shim exec $uid --prefix "$prefix"
	[[ $status -eq 2 ]]
}

@test "exec --tty is a terminal of the container, of the size of ours" {
	run script -qec "stty rows 33 cols 101; fief-shim exec $uid --prefix '$prefix' --tty -- sh -c 'tty; stty size; id -u; exit 3'" /dev/null </dev/null
	[[ $status -eq 3 ]] || fail "$status: $output"
	[[ $output == *"/dev/pts/"* && $output == *"33 101"* && $output == *"$uid"* ]]
	run script -qec "fief-shim exec $uid --prefix '$prefix' --tty -- sh -c 'kill -TERM \$\$'" /dev/null </dev/null
	[[ $status -eq 143 ]]
}

@test "exec without --tty never hands over the operator's terminal" {
	run script -qec "fief-shim exec $uid --prefix '$prefix' -- sh -c 'test -t 0 || test -t 1 || test -t 2 || echo no terminal; exit 5'" /dev/null </dev/null
	[[ $status -eq 5 && $output == *"no terminal"* ]] || fail "$status: $output"
	run script -qec "fief-shim exec $uid --prefix '$prefix' -- seq 20000" /dev/null </dev/null
	[[ $status -eq 0 && ${lines[-1]} == 20000* && ${#lines[@]} -eq 20000 ]]
}

@test "a client that goes away ends its session" {
	start_bg client fief-shim exec $uid --prefix "$prefix" -- sleep 98765
	wait_for 5 pgrep -f '^sleep 98765$'
	stop_bg client
	wait_for 5 refute_process '^sleep 98765$'
	[[ $(state $uid .state) == running ]]
}

refute_process()
{
	! pgrep -f "$1"
}

@test "the memory limit kills inside alone and is reported" {
	site_is_up
	local before
	before=$(state $uid .oomKills)
	run inside $uid python3 -c 'x = b"a" * (400 << 20)'
	[[ $status -eq 137 ]]
	wait_for 5 oom_kills_above "$before"
	grep -q "container $uid: out of memory, killed" "$(state_dir $uid)/shim.log"
	[[ $(state $uid .state) == running ]]
	site_is_up
}

oom_kills_above()
{
	(($(state $uid .oomKills) > $1))
}

@test "the limit of processes holds and is reported" {
	run inside $uid python3 -c 'import os, time
n = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        n += 1
except OSError as e:
    print(e.errno, n, flush=True)
os.killpg(0, 9)'
	[[ $output == "11 "* ]] || fail "$output"
	wait_for 5 pids_hits
	grep -q "container $uid: limit of processes hit" "$(state_dir $uid)/shim.log"
	wait_for 10 inside $uid true
}

pids_hits()
{
	(($(state $uid .pidsLimitHits) > 0))
}

@test "requests that are wrong are refused in a reply" {
	local socket=$prefix/run/fief/shim/$uid.sock
	run -0 python3 "$BATS_TEST_DIRNAME/../lib/shim_ask.py" "$socket" '{"op":"fly"}' '{"op":"state","x":1}' \
		'{' '[]' '{"op":"signal","signal":"x"}' '{"op":"signal","signal":99}' \
		'{"op":"exec","args":[]}' '{"op":"exec","args":["true"]}' '{"op":"exec","args":["true"],"cwd":"x"}' \
		'{"op":"stop","timeout":99999999}' '{"op":"exec","args":["true"],"env":["A=1","B"]}' '{"op":"state"}'
	[[ ${#lines[@]} -eq 12 ]]
	for i in $(seq 0 10); do
		jq -e '.error and .code' <<<"${lines[i]}" || fail "${lines[i]}"
	done
	[[ $(jq -r .error <<<"${lines[10]}") == ".env[1]: 'B' is not NAME=VALUE" ]]
	jq -e '.ok and .state == "running" and .uid == '$uid <<<"${lines[11]}"
	[[ $(stat -c '%a %u' "$socket") == "600 0" ]]
	# by standard input: the tree may lie where a customer cannot read
	run as_customer $uid /usr/bin/python3 - "$socket" '{"op":"state"}' <"$BATS_TEST_DIRNAME/../lib/shim_ask.py"
	[[ $status -ne 0 && $output == *PermissionError* ]] || fail "$output"
}

@test "sessions are limited before connections are, so that an operator always gets through" {
	local socket=$prefix/run/fief/shim/$uid.sock
	rm -f "$prefix/containers/$uid/vassals/site.ini" # makes room below the limit of processes
	run -0 python3 "$BATS_TEST_DIRNAME/../lib/shim_sessions.py" "$socket" 50 /bin/sh -c \
		'trap "" HUP; exec sleep 1000'
	[[ ${lines[0]} == "48 48 sessions are open"* && ${lines[1]} == running ]] || fail "$output"
	# those whose clients have gone ignore it, and count no longer
	run -0 inside $uid pkill sleep
	put_site
	site_is_up
}

@test "one container has one shim" {
	run start_container $uid
	[[ $status -eq 1 && $output == *"container $uid has a shim already"* ]]
	[[ $(state $uid .state) == running ]]
}

@test "a vassal that hangs delays a stop to its deadline and no longer" {
	site_is_up
	inside $uid sh -c 'kill -STOP $(pgrep -f "[i]ni site.ini")'
	local began=$SECONDS
	stop_container $uid --timeout 3
	((SECONDS - began < 8))
	[[ $(jq -c '[.signal, .oomKilled]' "$(state_dir $uid)/exit.json") == "[9,false]" ]]
	[[ $(state $uid .state) == stopped ]]
	refute_leftovers "$prefix" "/fief/$uid"
	start_container $uid
	site_is_up
}

@test "a killed shim stops no container" {
	site_is_up
	local shim init
	init=$(state $uid .pid)
	shim=$(awk '/^PPid/ { print $2 }' "/proc/$init/status")
	[[ $(readlink "/proc/$shim/exe") == */fief-shim ]]
	kill -9 "$shim"
	wait_for 5 refute_process_of "$shim"
	site_is_up
	[[ -d /proc/$init ]]
	# it is not taken for stopped
	local word
	for word in stop state "exec $uid true" "signal $uid TERM"; do
		[[ $word == *" "* ]] || word="$word $uid"
		# shellcheck disable=SC2086 # several words
		run -1 fief-shim ${word%% *} --prefix "$prefix" ${word#* }
		[[ $output == *"container $uid runs without a shim"*"delete --force $uid"* ]]
	done
	run -1 fief-bundle --prefix "$prefix" remove $uid
	[[ $output == *"may run"* && -d $prefix/var/lib/fief/bundles/$uid ]]
	run -1 start_container $uid
	[[ $output == *"already exists"* && -d /proc/$init ]]
	# what has ended is in nobody's way
	kill -9 "$init"
	wait_for 10 refute_process_of "$init"
	stop_container $uid
	start_container $uid
	site_is_up
}

refute_process_of()
{
	! process_start "$1"
}

@test "an orderly stop lets vassals end and gives status 0" {
	site_is_up
	stop_container $uid
	[[ $(jq -c '[.status, .oomKilled]' "$(state_dir $uid)/exit.json") == "[0,false]" ]]
	[[ $(cat "$(state_dir $uid)/status") == 0 ]]
	fief-shim logs $uid --prefix "$prefix" | tail -n 5 | grep -q 'The Emperor is buried'
	stop_container $uid # stopped is stopped
	refute_leftovers "$prefix" "/fief/$uid"
}
