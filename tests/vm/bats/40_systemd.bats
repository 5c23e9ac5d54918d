#!/usr/bin/env bats
# The systemd cgroup driver against the real systemd: ./check vm/40_systemd

bats_require_minimum_version 1.5.0
load ../../lib/common
load ../../lib/runtime

setup_file()
{
	[[ -n ${FIEF_VM:-} ]] || fail "runs in the machine only: ./check vm/40_systemd" || return
	runtime_setup_file
}

setup()
{
	runtime_setup
	unit=fiefvm-$id.scope
}

teardown()
{
	runtime_teardown
	[[ -z $(systemctl list-units --all --no-legend --plain 'fiefvm-*') ]]
	[[ $(systemctl is-system-running) == running ]]
}

# scoped [FILTER]: the container sleeps in a scope; $dir is its cgroup.
scoped()
{
	configure 'exec sleep 600' ".linux.cgroupsPath = \"system.slice:fiefvm:$id\" | ${1:-.}"
	"$FIEF_BUILD/fief" --systemd-cgroup --root "$state" run --detach --bundle "$bundle" "$id" \
		</dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- || fail "$(cat "$BATS_TEST_TMPDIR/out")" || return
	dir=/sys/fs/cgroup/system.slice/$unit
	pid=$(fief state "$id" | jq .pid)
}

property()
{
	systemctl show --property "$1" --value "$unit"
}

unit_is_gone()
{
	[[ -z $(systemctl list-units --all --no-legend --plain "$unit") ]]
}

@test "the container is in a delegated scope of its slice, and goes with it" {
	scoped
	[[ $(cat "/proc/$pid/cgroup") == "0::/system.slice/$unit" ]] || fail "$(cat "/proc/$pid/cgroup")"
	[[ $(property Delegate) == yes && $(property ActiveState) == active ]]
	run "$FIEF_BUILD/fief" --systemd-cgroup --root "$state" delete --force "$id"
	expect 0 ""
	wait_for 10 unit_is_gone
	[[ ! -d $dir ]]
}

@test "limits are the unit's and the kernel's, and outlast a reload of systemd" {
	scoped '.linux.resources = {memory: {limit: 67108864}, pids: {limit: 40}, cpu: {quota: 20000, period: 100000}}'
	[[ $(property MemoryMax) == 67108864 && $(property TasksMax) == 40 && $(property CPUQuotaPerSecUSec) == 200ms ]]
	systemctl daemon-reload
	systemctl set-property --runtime "$unit" IPAccounting=no
	[[ $(cat "$dir/memory.max") == 67108864 && $(cat "$dir/pids.max") == 40 ]]
	[[ $(cat "$dir/cpu.max") == "20000 100000" ]]
}

@test "device rules hold in the scope, also after a reload" {
	scoped '.linux.devices = [{path: "/dev/denied", type: "c", major: 10, minor: 229}]'
	systemctl daemon-reload
	run fief exec "$id" sh -c ': </dev/denied'
	[[ $status -ne 0 && $output == *"not permitted"* ]] || fail "$output"
	run fief exec "$id" sh -c ': </dev/null; cat /proc/self/cgroup'
	expect 0 "0::/"
}

@test "a container that ends takes its scope along" {
	configure true ".linux.cgroupsPath = \"system.slice:fiefvm:$id\""
	run "$FIEF_BUILD/fief" --systemd-cgroup --root "$state" run --bundle "$bundle" "$id"
	expect 0 ""
	wait_for 10 unit_is_gone
}

@test "a container whose scope systemd kills is stopped" {
	scoped
	systemctl kill --signal KILL "$unit"
	wait_for 10 container_is stopped
	fief delete "$id"
	wait_for 10 unit_is_gone
}

@test "a failed creation leaves no scope" {
	configure true ".linux.cgroupsPath = \"system.slice:fiefvm:$id\" | .process.args = [\"/nope\"]"
	run "$FIEF_BUILD/fief" --systemd-cgroup --root "$state" run --bundle "$bundle" "$id"
	[[ $status -ne 0 ]]
	wait_for 10 unit_is_gone
}
