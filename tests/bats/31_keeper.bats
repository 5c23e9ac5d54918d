#!/usr/bin/env bats
# fief-shim with small containers that run rc.local: ends, restarts, logs, refusals.
# timeout: 240

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/images
load ../lib/keeper

uid=45311
other=45312

setup_file()
{
	prefix=$BATS_FILE_TMPDIR/prefix
	export prefix
	mkdir -p "$prefix"
	pass_to "$prefix"
	tiny_tree "$BATS_FILE_TMPDIR/tree"
	fief-image --prefix "$prefix" import tiny "$BATS_FILE_TMPDIR/tree"
}

setup()
{
	new_container $uid tiny >/dev/null
}

teardown()
{
	stop_container $uid --timeout 0 || true
	stop_container $other --timeout 0 || true
	stop_all
	rm -rf "$(state_dir $uid)" "$prefix/containers/$uid"
}

teardown_file()
{
	prefix=$BATS_FILE_TMPDIR/prefix
	refute_leftovers "$prefix" "/fief/$uid"
}

# The commands of standard input are rc.local.
rc_local()
{
	mkdir -p "$prefix/containers/$uid/etc"
	chown $uid:$uid "$prefix/containers/$uid"
	chmod 711 "$prefix/containers/$uid" "$prefix/containers"
	put_file $uid etc/rc.local 644
}

# shellcheck disable=SC2120 # options come by way of run
run_container()
{
	fief-shim run "$prefix/var/lib/fief/bundles/$uid" --prefix "$prefix" "$@" 3>&-
}

logged()
{
	fief-shim logs $uid --prefix "$prefix" | cut -d' ' -f2-
}

@test "an image without uWSGI runs rc.local as the customer, its status is that of the container" {
	rc_local <<-'END'
		id -u; id -g; id -G; pwd; echo $HOME $PATH
		grep Cap /proc/self/status
		exit 7
	END
	run run_container
	[[ $status -eq 7 ]] || fail "$status: $output"
	[[ $(jq -c '[.status, .oomKilled]' "$(state_dir $uid)/exit.json") == "[7,false]" ]]
	[[ $(cat "$(state_dir $uid)/status") == $((7 << 8)) ]]
	run logged
	[[ ${lines[0]} == "$uid" && ${lines[1]} == "$uid" && ${lines[2]} == "$uid" ]]
	[[ ${lines[3]} == "/containers/$uid" && ${lines[4]} == "/containers/$uid /usr/local/"* ]]
	[[ $(grep -cE 'Cap(Prm|Eff|Inh|Amb):.0000000000000000' <<<"$output") -eq 4 ]]
	[[ $(state $uid .state) == stopped && $(state $uid .exit.status) == 7 ]]
}

@test "without rc.local the container waits, for sessions and for its stop" {
	start_container $uid
	wait_for 5 bash -c "fief-shim logs $uid --prefix '$prefix' | grep -q 'nothing to run'"
	run -0 inside $uid sh -c 'echo $((6 * 7))'
	[[ $output == 42 ]]
	stop_container $uid
	[[ $(jq .status "$(state_dir $uid)/exit.json") == 0 ]]
}

@test "a main process that is killed is told as 128 + N" {
	rc_local <<<'kill -9 $$'
	run run_container
	[[ $status -eq 137 ]]
	[[ $(cat "$(state_dir $uid)/status") == 9 ]]
}

@test "an rc.local that is a link, a FIFO or a directory is not run and harms nobody" {
	rc_local <<<'exit 5'
	rm "$prefix/containers/$uid/etc/rc.local"
	ln -s /etc/passwd "$prefix/containers/$uid/etc/rc.local"
	start_container $uid
	wait_for 5 bash -c "fief-shim logs $uid --prefix '$prefix' | grep -q 'did not run'"
	stop_container $uid
	rm "$prefix/containers/$uid/etc/rc.local"
	mkfifo "$prefix/containers/$uid/etc/rc.local"
	start_container $uid
	inside $uid sh -c true
	stop_container $uid
}

@test "a stop reaches processes of rc.local, and one that does not listen is killed in time" {
	rc_local <<-'END'
		trap 'echo told; exit 3' TERM
		echo ready
		while :; do sleep 0.1; done
	END
	start_container $uid
	wait_for 5 bash -c "fief-shim logs $uid --prefix '$prefix' | grep -q ready"
	stop_container $uid
	[[ $(jq .status "$(state_dir $uid)/exit.json") == 3 ]]
	rc_local <<-'END'
		trap '' TERM
		echo deaf
		while :; do sleep 0.1; done
	END
	start_container $uid
	wait_for 5 bash -c "fief-shim logs $uid --prefix '$prefix' | grep -q deaf"
	stop_container $uid --timeout 1
	[[ $(jq .signal "$(state_dir $uid)/exit.json") == 9 ]]
}

@test "signals reach PID 1" {
	start_container $uid
	fief-shim signal $uid HUP --prefix "$prefix"
	run -0 inside $uid sh -c true
	run fief-shim signal $uid NOTHING --prefix "$prefix"
	[[ $status -eq 2 ]]
	fief-shim signal $uid SIGTERM --prefix "$prefix"
	wait_for 5 state_is $uid .state stopped
}

@test "logs rotate by rename, no line is lost or cut" {
	tune $uid '.log = {size: 65536, keep: 40}'
	rc_local <<-'END'
		i=0
		while [ $i -lt 20000 ]; do i=$((i + 1)); echo "line $i of a log that is long enough"; done
		printf 'no end'
	END
	run_container >/dev/null # not by run: bats takes minutes for so many lines where it is emulated
	local dir
	dir=$(state_dir $uid)/log
	[[ -e $dir/container.log.1 && -e $dir/container.log.2 ]]
	for file in "$dir"/container.log*; do
		(($(stat -c %s "$file") <= 65536 + 262144))
	done
	{
		printf '%s\0' "$dir"/container.log.* | sort -z -V -r | xargs -0 cat
		cat "$dir/container.log"
	} | cut -d' ' -f2- >"$BATS_TEST_TMPDIR/all"
	{
		for i in $(seq 20000); do echo "line $i of a log that is long enough"; done
		echo 'no end'
	} | cmp - "$BATS_TEST_TMPDIR/all"
}

@test "only as many rotated logs are kept as asked for" {
	tune $uid '.log = {size: 4096, keep: 2}'
	rc_local <<<'i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); echo "line $i"; done; sleep 0.3; echo last'
	run run_container
	[[ $status -eq 0 ]]
	[[ $(find "$(state_dir $uid)/log" -name 'container.log*' | wc -l) -le 3 ]]
	[[ $(logged | tail -n 1) == last ]]
}

@test "a full disk under the log does not hold the container up" {
	rc_local <<<'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); echo "line $i of a log"; done; exit 4'
	mkdir -p "$(state_dir $uid)/log"
	run private_mounts bash -c "
		mount -t tmpfs -o size=64k none '$(state_dir $uid)/log'
		timeout 20 fief-shim run '$prefix/var/lib/fief/bundles/$uid' --prefix '$prefix'"
	[[ $status -eq 4 ]] || fail "$output"
}

@test "a container that fails is started again, the wait doubles, its network namespace stays" {
	new_container $uid tiny '.restart = "on-failure"' >/dev/null
	rc_local <<<'readlink /proc/self/ns/net; exit 1'
	start_container $uid
	wait_for 10 state_is $uid .restarts 2
	wait_for 10 bash -c "[[ \$(fief-shim logs $uid --prefix '$prefix' | grep -c net:) -ge 2 ]]"
	[[ $(logged | grep net: | sort -u | wc -l) -eq 1 ]]
	grep -q 'starts again in 1 s' "$(state_dir $uid)/shim.log"
	grep -q 'starts again in 2 s' "$(state_dir $uid)/shim.log"
	stop_container $uid
	run fief-shim state $uid --prefix "$prefix" --json
	[[ $(jq -r .state <<<"$output") == stopped ]]
}

@test "restart on-failure leaves a container that ended well, always does not" {
	new_container $uid tiny '.restart = "on-failure"' >/dev/null
	rc_local <<<'exit 0'
	run run_container
	[[ $status -eq 0 ]]
	new_container $uid tiny '.restart = "always"' >/dev/null
	start_container $uid
	wait_for 10 state_is $uid .restarts 1
	stop_container $uid
}

@test "a home that became a trap is told in one line and nothing runs" {
	start_container $uid
	stop_container $uid
	rmdir "$prefix/containers/$uid/logs"
	ln -s /etc "$prefix/containers/$uid/logs"
	run start_container $uid
	[[ $status -eq 1 ]]
	assert_one_line
	[[ $output == *"'logs'"* ]]
	refute_leftovers "$prefix" "/fief/$uid"
	rm "$prefix/containers/$uid/logs"
}

@test "a runtime that fails or hangs is told in one line" {
	run start_container $uid --runtime /bin/false
	[[ $status -eq 1 ]]
	assert_one_line
	[[ $output == *"/bin/false create"* ]]
	run start_container $uid --runtime /no/such/runtime
	[[ $status -eq 1 ]]
	assert_one_line
	jq '.process.args = ["/no/such/program"]' "$prefix/var/lib/fief/bundles/$uid/config.json" >"$prefix/c"
	cp "$prefix/c" "$prefix/var/lib/fief/bundles/$uid/config.json"
	run start_container $uid
	[[ $status -eq 1 ]]
	assert_one_line
	[[ $output == *"/no/such/program"* ]] || fail "$output"
	refute_leftovers "$prefix" "/fief/$uid"
}

@test "an image whose uWSGI is a link into the customer's home runs nothing of it" {
	tiny_tree "$BATS_TEST_TMPDIR/tree"
	mkdir -p "$BATS_TEST_TMPDIR/tree/usr/"{bin,local}
	cp /bin/busybox "$BATS_TEST_TMPDIR/tree/usr/local/uwsgi"
	ln -s ../local/uwsgi "$BATS_TEST_TMPDIR/tree/usr/bin/uwsgi-core"
	fief-image --prefix "$prefix" import led "$BATS_TEST_TMPDIR/tree"
	new_container $uid led
	rc_local <<<'sleep 1000'
	printf '#!/bin/sh\necho it ran\nid -u\n' | put_file $uid uwsgi 755
	run -127 run_container
	run logged
	[[ $output == *"cannot run '/usr/bin/uwsgi-core'"* && $output != *"it ran"* ]] || fail "$output"
}

@test "two containers see neither each other's processes nor files" {
	new_container $other tiny >/dev/null
	rc_local <<<'sleep 4242 & while :; do sleep 1; done'
	start_container $uid
	start_container $other
	run -0 inside $other busybox ls /containers
	[[ $output == "$other" ]]
	run -0 inside $other busybox ps
	[[ $output != *4242* ]]
	run inside $other busybox ls "/containers/$uid"
	[[ $status -ne 0 ]]
	run -0 inside $other sh -c 'kill -9 -1; true'
	wait_for 5 pgrep -f '^sleep 4242$'
	stop_container $other
	rm -rf "$(state_dir $other)" "$prefix/containers/$other"
}

@test "Debian's runc runs the same bundle under the shim" {
	command -v runc || skip "runc is not installed"
	rc_local <<<'echo by runc; exit 6'
	run run_container --runtime "$(command -v runc)"
	[[ $status -eq 6 ]] || fail "$output"
	[[ $(logged) == "by runc" ]]
}
