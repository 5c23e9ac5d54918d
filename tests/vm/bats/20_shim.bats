#!/usr/bin/env bats
# What the shim reports is what the kernel counted, on cgroup v2: ./check vm/20_shim

bats_require_minimum_version 1.5.0
load ../../lib/common
load ../../lib/images
load ../../lib/keeper

uid=45401
cgroup=/sys/fs/cgroup/fief/$uid

setup_file()
{
	[[ -n ${FIEF_VM:-} ]] || fail "runs in the machine only: ./check vm/20_shim" || return
	prefix=$BATS_FILE_TMPDIR/prefix
	export prefix
	mkdir -p "$prefix"
	pass_to "$prefix"
	test_image debian-12 "$prefix"
	new_container $uid debian-12 '.pids = 60'
	start_container $uid
}

teardown_file()
{
	prefix=$BATS_FILE_TMPDIR/prefix
	stop_container $uid --timeout 5 || true
	refute_leftovers "$prefix" "/fief/$uid" || return
	rmdir "${cgroup%/*}"
}

# counted FILE KEY MEMBER: the shim's number is the kernel's, and not 0.
counted()
{
	local there
	there=$(awk -v key="$2" '$1 == key { print $2 }' "$cgroup/$1")
	((there > 0)) && [[ $(state $uid "$3") == "$there" ]]
}

@test "the record's limits are in the files of v2" {
	[[ $(cat "$cgroup/memory.max") == 134217728 ]]
	[[ $(cat "$cgroup/memory.swap.max") == 0 ]]
	(($(cat "$cgroup/pids.max") >= 60 && $(cat "$cgroup/pids.max") <= 70))
}

@test "kills for memory are those of memory.events" {
	[[ $(state $uid .oomKills) == 0 ]]
	run inside $uid python3 -c 'x = b"a" * (400 << 20)'
	[[ $status -eq 137 ]]
	wait_for 10 counted memory.events oom_kill .oomKills
	[[ $(state $uid .state) == running ]]
}

@test "hits of the limit of processes are those of pids.events" {
	[[ $(state $uid .pidsLimitHits) == 0 ]]
	run inside $uid bash -c 'for i in $(seq 100); do sleep 20 & done; kill $(jobs -p)'
	wait_for 10 counted pids.events max .pidsLimitHits
}

@test "the customer cannot write the container's cgroup" {
	run inside $uid sh -c 'find /sys/fs/cgroup -writable 2>/dev/null | head -n 1'
	[[ -z $output ]]
}

@test "the cgroup is gone after stop" {
	stop_container $uid
	[[ ! -d $cgroup ]]
	start_container $uid
}
