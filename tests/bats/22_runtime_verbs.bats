#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2154 # expanded inside; set by runtime_setup
# The runtime's verbs on a running container: pause, resume, ps, update; and features.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/runtime

setup_file()
{
	runtime_setup_file
}

setup()
{
	runtime_setup
}

teardown()
{
	runtime_teardown
}

# A container that counts in /tmp/count of its own tmpfs, running in the background.
counting()
{
	configure 'i=0; while :; do i=$((i + 1)); echo $i >/data/count; sleep 0.01; done' \
		".mounts += [{destination: \"/data\", type: \"tmpfs\", source: \"tmpfs\"}] | ${1:-.}"
	fief run --detach --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1
	wait_for 5 count_over 0
}

count()
{
	cat "/proc/$(fief state "$id" | jq .pid)/root/data/count"
}

count_over()
{
	[[ $(count) -gt $1 ]]
}

@test "pause stops every process, resume lets them go on" {
	counting
	fief pause "$id"
	container_is paused
	cgroup_is_frozen "$(cgroup_dir freezer)"
	before=$(count)
	fief resume "$id"
	container_is running
	wait_for 5 count_over "$before"
}

@test "pause and resume say when there is nothing to do, in runc's words" {
	counting
	run fief resume "$id"
	expect_part 1 "container not paused"
	fief pause "$id"
	run fief pause "$id"
	expect_part 1 "container not running or created: paused"
	run fief exec "$id" true
	expect_part 255 "cannot exec in a paused container"
	fief resume "$id"
	run fief pause nobody
	expect_part 1 "container does not exist"
}

@test "a paused container is deleted by force" {
	counting
	fief pause "$id"
	fief delete --force "$id"
	run fief state "$id"
	expect_part 1 "container does not exist"
}

@test "ps shows the container's processes and no others" {
	counting
	run fief ps --format json "$id"
	[[ $status -eq 0 ]]
	jq -e --argjson pid "$(fief state "$id" | jq .pid)" 'index($pid) != null' <<<"$output"
	run fief ps "$id"
	[[ $status -eq 0 && ${lines[0]} == *PID*CMD* ]]
	[[ $(grep -c 'while :' <<<"$output") -eq 1 && $output != *bats* ]]
	run fief ps "$id" -o pid,comm
	[[ ${lines[0]} == *PID*COMMAND* ]]
	run fief ps --format yaml "$id"
	expect_part 1 "neither table nor json"
}

memory_limit()
{
	cat "$(cgroup_dir memory)/memory.limit_in_bytes" 2>/dev/null || cat "$(cgroup_dir memory)/memory.max"
}

@test "update changes limits of a running container, by options" {
	counting '.linux.resources.memory.limit = 67108864'
	fief update --memory 134217728 --memory-swap 134217728 --pids-limit 33 --cpu-share 512 \
		--cpu-quota 50000 --cpu-period 100000 "$id"
	[[ $(memory_limit) == 134217728 ]]
	[[ $(cat "$(cgroup_dir pids)/pids.max") == 33 ]]
	if unified; then
		[[ $(cat "$(cgroup_dir "")/cpu.weight") -lt 100 ]]
		[[ $(cat "$(cgroup_dir "")/cpu.max") == "50000 100000" ]]
		[[ $(cat "$(cgroup_dir "")/memory.swap.max") == 0 ]]
	else
		[[ $(cat "$(cgroup_dir cpu)/cpu.shares") == 512 ]]
		[[ $(cat "$(cgroup_dir cpu)/cpu.cfs_quota_us") == 50000 ]]
	fi
	fief update --pids-limit -1 "$id"
	[[ $(cat "$(cgroup_dir pids)/pids.max") == max ]]
}

@test "update takes LinuxResources from a file and from standard input" {
	counting
	echo '{"memory": {"limit": 83886080}, "pids": {"limit": 44}}' >"$BATS_TEST_TMPDIR/r"
	fief update --resources "$BATS_TEST_TMPDIR/r" "$id"
	[[ $(memory_limit) == 83886080 ]]
	echo '{"pids": {"limit": 45}}' | fief update --resources - "$id"
	[[ $(cat "$(cgroup_dir pids)/pids.max") == 45 ]]
	# what is not named stays
	[[ $(memory_limit) == 83886080 ]]
}

@test "update refuses what is no number, and names it" {
	counting
	run fief update --memory 12x "$id"
	expect_part 1 "--memory: '12x'"
	run fief update --cpu-share -5 "$id"
	expect_part 1 "--cpu-share"
	echo '{"memory": {"limit": "much"}}' >"$BATS_TEST_TMPDIR/r"
	run fief update --resources "$BATS_TEST_TMPDIR/r" "$id"
	expect_part 1 ".memory.limit: must be a number"
}

@test "features tells what works" {
	run fief features
	[[ $status -eq 0 ]]
	jq -e '.ociVersionMin == "1.0.0" and .ociVersionMax == "1.3.0" and .linux.cgroup.v1 and
		.linux.cgroup.v2 and .linux.mountExtensions.idmap.enabled == false and
		(.mountOptions | index("rro") != null) and (.linux.capabilities | length) == 41' <<<"$output"
	# every namespace that it names can be asked for
	run_it true '.linux.namespaces = [(["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"][] |
		{type: .})] | .linux.uidMappings = [{containerID: 0, hostID: 300000, size: 65536}] |
		.linux.gidMappings = .linux.uidMappings'
	expect 0 ""
	# every mount option that it names is understood
	local option
	for option in $(fief features | jq -r '.mountOptions[]'); do
		[[ $option != remount && $option != *bind && $option != tmpcopyup && $option != *bindable ]] ||
			continue
		run_it true ".mounts += [{destination: \"/data\", type: \"tmpfs\", source: \"tmpfs\",
			options: [\"$option\"]}]"
		[[ $status -eq 0 ]] || fail "$option: $output"
	done
}

@test "without a cgroup manager the container stays in the caller's cgroup" {
	configure 'sleep 1000'
	fief --cgroup-manager disabled run --detach --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1
	[[ $(cat "/proc/$(fief state "$id" | jq .pid)/cgroup") == $(cat /proc/self/cgroup) ]]
	fief exec "$id" true
	fief delete --force "$id"
	run fief --cgroup-manager sideways state "$id"
	expect_part 1 "cgroup manager 'sideways'"
}
