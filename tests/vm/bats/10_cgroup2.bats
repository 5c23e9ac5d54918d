#!/usr/bin/env bats
# The runtime on cgroup v2 with every controller, in the machine of tests/vm: ./check vm/10_cgroup2

bats_require_minimum_version 1.5.0
load ../../lib/common
load ../../lib/runtime

setup_file()
{
	[[ -n ${FIEF_VM:-} ]] || fail "runs in the machine only: ./check vm/10_cgroup2" || return
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

# hold [FILTER]: the container sleeps; $dir is its cgroup, $pid its first process.
hold()
{
	configure 'exec sleep 600' "${1:-.}"
	start_it
}

start_it()
{
	fief run --detach --bundle "$bundle" "$id" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&-
	dir=$(cgroup_dir "")
	pid=$(fief state "$id" | jq .pid)
}

# is FILE VALUE: of the container's cgroup.
is()
{
	[[ $(cat "$dir/$1") == "$2" ]] || fail "$1 is '$(cat "$dir/$1")', not '$2'"
}

# counter FILE KEY
counter()
{
	awk -v key="$2" '$1 == key { print $2 }' "$dir/$1"
}

counted()
{
	(($(counter "$1" "$2") > 0))
}

@test "every controller is on in the container's cgroup" {
	hold
	for controller in cpuset cpu io memory hugetlb pids; do
		grep -qw "$controller" "$dir/cgroup.controllers" || fail "no $controller"
	done
}

@test "memory: limit, swap without memory, reservation" {
	hold '.linux.resources.memory = {limit: 33554432, swap: 67108864, reservation: 16777216}'
	is memory.max 33554432
	is memory.swap.max 33554432
	is memory.low 16777216
}

@test "memory: no swap beside the limit, and unlimited" {
	hold '.linux.resources.memory = {limit: 33554432, swap: 33554432}'
	is memory.max 33554432
	is memory.swap.max 0
	fief delete --force "$id"
	hold '.linux.resources.memory = {limit: -1, swap: -1}'
	is memory.max max
	is memory.swap.max max
}

@test "cpu: quota and period, cpus, and a weight for the shares" {
	hold '.linux.resources.cpu = {shares: 1024, quota: 20000, period: 50000, cpus: "0", mems: "0"}'
	is cpu.max "20000 50000"
	is cpu.weight 100
	is cpuset.cpus 0
	is cpuset.mems 0
	fief delete --force "$id"
	hold '.linux.resources.cpu = {shares: 2, period: 40000}'
	is cpu.max "max 40000"
	is cpu.weight 1
	fief delete --force "$id"
	hold '.linux.resources.cpu = {shares: 262144, quota: -1}'
	is cpu.weight 10000
	is cpu.max "max 100000"
}

@test "cpu: more shares are more weight" {
	local shares last=0
	for shares in 10 100 512 2048 10000 100000; do
		hold ".linux.resources.cpu.shares = $shares"
		(($(cat "$dir/cpu.weight") > last)) || fail "$shares shares: $(cat "$dir/cpu.weight"), after $last"
		last=$(cat "$dir/cpu.weight")
		fief delete --force "$id"
	done
}

@test "pids: limit and unlimited" {
	hold '.linux.resources.pids.limit = 20'
	is pids.max 20
	fief delete --force "$id"
	hold '.linux.resources.pids.limit = -1'
	is pids.max max
}

@test "unified: any file of a controller, and no other" {
	hold '.linux.resources.unified = {"memory.high": "20971520", "pids.max": "17", "io.weight": "default 50"}'
	is memory.high 20971520
	is pids.max 17
	is io.weight "default 50"
	fief delete --force "$id"
	configure true '.linux.resources.unified = {"cgroup.freeze": "1"}'
	run fief run --bundle "$bundle" "$id"
	expect_part 1 '.linux.resources.unified'
}

@test "a limit of processes holds and is counted in pids.events" {
	configure '(i=0; while [ $i -lt 20 ]; do sleep 100 & i=$((i + 1)); done); exec sleep 600' \
		'.linux.resources.pids.limit = 8'
	start_it
	wait_for 20 counted pids.events max
	(($(cat "$dir/pids.current") <= 8))
}

@test "too much memory kills in the container alone and is counted in memory.events" {
	configure '(head -c 100m /dev/zero | tail -n 1 >/dev/null); exec sleep 600' \
		'.linux.resources.memory = {limit: 20971520, swap: 20971520}'
	start_it
	wait_for 40 counted memory.events oom_kill
	container_is running
	(($(cat "$dir/memory.peak") <= 20971520))
}

@test "a quota of cpu time throttles" {
	configure 'while :; do :; done' '.linux.resources.cpu = {quota: 5000, period: 50000}'
	start_it
	wait_for 20 counted cpu.stat nr_throttled
	local before began=$EPOCHREALTIME
	before=$(counter cpu.stat usage_usec)
	wait_for 20 eval "(( $(counter cpu.stat nr_throttled) + 20 < \$(counter cpu.stat nr_throttled) ))"
	local used=$(($(counter cpu.stat usage_usec) - before)) passed=$((${EPOCHREALTIME/./} - ${began/./}))
	((used * 100 <= passed * 20)) || fail "$used of $passed usec"
}

@test "the container is cloned into its cgroup, and exec joins it" {
	configure true
	strace -e trace=clone3 -o "$BATS_TEST_TMPDIR/trace" \
		"$FIEF_BUILD/fief" --root "$state" run --bundle "$bundle" "$id"
	grep -q 'clone3.*CLONE_INTO_CGROUP' "$BATS_TEST_TMPDIR/trace" || fail "$(cat "$BATS_TEST_TMPDIR/trace")"
	hold
	[[ $(cat "/proc/$pid/cgroup") == "0::$cgroup/$id" ]]
	run fief exec "$id" cat /proc/self/cgroup
	expect 0 "0::/"
	start_bg joined "$FIEF_BUILD/fief" --root "$state" exec "$id" sleep 300
	wait_for 20 eval '[[ $(wc -l <"$dir/cgroup.procs") -eq 2 ]]'
}

@test "delete --force kills all that is there by cgroup.kill, however it forks" {
	configure 'i=0; while [ $i -lt 12 ]; do (while :; do sleep 0.02; done) & i=$((i + 1)); done; wait' \
		'.linux.resources.pids.limit = 60 | .linux.namespaces |= map(select(.type != "pid"))' # no init takes all along
	start_it
	wait_for 20 eval '(( $(cat "$dir/pids.current") > 10 ))'
	strace -f -e trace=openat,write,kill -o "$BATS_TEST_TMPDIR/trace" \
		"$FIEF_BUILD/fief" --root "$state" delete --force "$id"
	grep -q 'openat.*"cgroup.kill"' "$BATS_TEST_TMPDIR/trace" || fail "$(cat "$BATS_TEST_TMPDIR/trace")"
	[[ ! -d $dir ]]
	refute_leftovers "$BATS_TEST_TMPDIR" "$cgroup/"
}

@test "cgroups that the container made are removed with it" {
	configure 'mkdir -p /sys/fs/cgroup/a/b && sleep 100 & sleep 600' '
		(.mounts[] | select(.type == "cgroup").options) |= map(select(. != "ro")) + ["rw"]'
	start_it
	wait_for 10 test -d "$dir/a/b"
	fief delete --force "$id"
	[[ ! -d $dir ]]
}

@test "device rules: a denied node cannot be opened, an allowed one can" {
	run_it 'for d in null denied allowed; do (: </dev/$d) 2>&1 && echo "$d opened"; done' '
		.linux.devices = [{path: "/dev/denied", type: "c", major: 10, minor: 229},
			{path: "/dev/allowed", type: "c", major: 10, minor: 200}] |
		.linux.resources.devices = [{allow: false, access: "rwm"},
			{allow: true, type: "c", major: 10, minor: 200, access: "rw"}]'
	[[ $output == *"null opened"*"/dev/denied: Operation not permitted"*"allowed opened"* ||
		$output == *"null opened"*"/dev/denied"*"not permitted"* ]] || fail "$output"
	[[ $output == *"allowed opened"* && $output != *"denied opened"* ]] || fail "$output"
}

@test "device rules reach processes that exec brings in" {
	hold '.linux.devices = [{path: "/dev/denied", type: "c", major: 10, minor: 229}]'
	run fief exec "$id" sh -c ': </dev/denied'
	[[ $status -ne 0 && $output == *"not permitted"* ]] || fail "$output"
	run fief exec "$id" sh -c ': </dev/zero'
	expect 0 ""
}

@test "root of the container cannot write its cgroup" {
	local script='for f in memory.max pids.max cgroup.procs cgroup.subtree_control; do
		(echo max >/sys/fs/cgroup/$f) 2>/dev/null && echo "wrote $f"; done
		mkdir /sys/fs/cgroup/x 2>/dev/null && echo made
		mount -o remount,rw /sys/fs/cgroup 2>/dev/null && echo remounted; true'
	run_it "$script" '.linux.resources.memory.limit = 33554432'
	expect 0 ""
	# with a user namespace not even where it is mounted writable
	run_it "$script" "$userns | .linux.resources.memory.limit = 33554432 |
		(.mounts[] | select(.type == \"cgroup\").options) |= map(select(. != \"ro\"))"
	[[ $status -eq 0 && $output != *wrote* && $output != *made* ]] || fail "$output"
}

@test "a frozen container is paused, takes no exec and can be deleted" {
	hold
	echo 1 >"$dir/cgroup.freeze"
	wait_for 5 container_is paused
	run timeout 10 "$FIEF_BUILD/fief" --root "$state" exec "$id" true
	[[ $status -ne 0 && $output == *"in a paused container"* ]] || fail "$output"
	run timeout 10 "$FIEF_BUILD/fief" --root "$state" delete --force "$id"
	expect 0 ""
	[[ ! -d $dir ]]
}

@test "a relative path is beside the caller, in its slice" {
	configure 'exec sleep 600' '.linux.cgroupsPath = "beside"'
	systemd-run --quiet --scope --unit "fief-test-$$" "$FIEF_BUILD/fief" --root "$state" run --detach \
		--bundle "$bundle" "$id" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&-
	pid=$(fief state "$id" | jq .pid)
	[[ $(cat "/proc/$pid/cgroup") == "0::/system.slice/beside" ]] || fail "$(cat "/proc/$pid/cgroup")"
	fief delete --force "$id"
	[[ ! -d /sys/fs/cgroup/system.slice/beside ]]
}
