#!/usr/bin/env bats
# The helpers of tests/lib/common.bash: other tests trust them.

bats_require_minimum_version 1.5.0
load ../lib/common

teardown()
{
	stop_all
}

@test "wait_for returns when the event comes" {
	(exec 3>&-; sleep 0.1; touch "$BATS_TEST_TMPDIR/event") &
	wait_for 5 test -e "$BATS_TEST_TMPDIR/event"
}

@test "wait_for fails at its deadline and says what did not come" {
	run wait_for 1 test -e /nonexistent
	[ "$status" -eq 1 ]
	[[ $output == "not within 1 seconds: test -e /nonexistent" ]]
}

@test "start_bg and stop_all keep track of processes, also of stubborn ones" {
	start_bg mild sleep 60
	bg_running mild
	start_bg stubborn sh -c 'trap "" TERM; echo ready; while :; do sleep 60 & wait $!; kill $!; done'
	stubborn_pid=$bg_pid
	wait_for 5 grep -q ready "$BATS_TEST_TMPDIR/stubborn.log"
	start_bg brief true
	wait_for 5 bg_ended brief
	stop_bg mild
	bg_ended mild
	stop_seconds=1 stop_bg stubborn
	bg_ended stubborn
	wait_for 5 eval "! kill -0 -- -$stubborn_pid" # its children too
}

@test "free_port gives a port that can be bound" {
	port=$(free_port)
	[ "$port" -gt 1023 ]
	start_bg listener socat "TCP-LISTEN:$port,bind=127.0.0.1" STDOUT
	wait_for 5 socat -u /dev/null "TCP:127.0.0.1:$port"
}

@test "leftovers are found and named" {
	mkdir "$BATS_TEST_TMPDIR/at"
	refute_leftovers "$BATS_TEST_TMPDIR/at" /fief/no-such
	start_bg inside env --chdir="$BATS_TEST_TMPDIR/at" sleep 60
	wait_for 5 eval '! refute_leftovers "$BATS_TEST_TMPDIR/at"'
	run refute_leftovers "$BATS_TEST_TMPDIR/at"
	[[ $output == "left behind: process $bg_pid (cwd): sleep 60"* ]]
}

@test "private_mounts keeps its mounts to itself" {
	private_mounts sh -c "mount -t tmpfs none '$BATS_TEST_TMPDIR' && grep -q '$BATS_TEST_TMPDIR' /proc/self/mountinfo"
	refute_leftovers "$BATS_TEST_TMPDIR"
}
