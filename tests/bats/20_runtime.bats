#!/usr/bin/env bats
# The runtime's verbs: life cycle, exec, hooks, terminals, errors, and that nothing is left behind.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/runtime

setup_file()
{
	export BATS_TEST_TIMEOUT=60
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

# create_it SCRIPT [FILTER]
create_it()
{
	configure "$@"
	fief create --bundle "$bundle" "$id" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&-
}

# Only the error is seen: a container that is made against expectation must not hold the test's pipe.
create_quietly()
{
	local result=0
	fief create --bundle "$bundle" "$id" </dev/null >/dev/null 2>"$BATS_TEST_TMPDIR/err" 3>&- || result=$?
	cat "$BATS_TEST_TMPDIR/err"
	return "$result"
}

# start_it SCRIPT [FILTER]: a container that runs on in the background.
start_it()
{
	configure "$@"
	fief run --detach --bundle "$bundle" "$id" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&-
}

# ---- run

@test "run prints what the program prints and ends with its status" {
	run_it 'echo out; echo err >&2; exit 7'
	expect 7 $'out\nerr'
	[[ -z $(ls "$state") ]]
}

@test "run ends with 128 + n when signal n ended the program" {
	run_it 'kill -9 $$' '.linux.namespaces |= map(select(.type != "pid"))'
	expect 137 ""
}

@test "run hands standard input on" {
	configure 'cat'
	run fief run --bundle "$bundle" "$id" <<<"typed"
	expect 0 typed
}

@test "run forwards signals to the program" {
	configure 'trap "echo got it; exit 3" TERM; echo ready; while :; do sleep 0.1; done'
	start_bg run "$FIEF_BUILD/fief" --root "$state" run --bundle "$bundle" "$id"
	wait_for 5 grep -q ready "$BATS_TEST_TMPDIR/run.log"
	kill -TERM "$bg_pid"
	wait_for 5 bg_ended run
	grep -q 'got it' "$BATS_TEST_TMPDIR/run.log"
}

@test "run --keep leaves a stopped container" {
	configure true
	fief run --keep --bundle "$bundle" "$id"
	container_is stopped
	fief delete "$id"
}

@test "the spec that fief writes runs under runc, and runc's under fief" {
	same_as_runc 'id; hostname; pwd; ls -l /dev | wc -l; cat /proc/self/limits | grep files'
	mkdir "$BATS_TEST_TMPDIR/theirs"
	(cd "$BATS_TEST_TMPDIR/theirs" && runc spec)
	mv "$BATS_TEST_TMPDIR/theirs/config.json" "$bundle/base.json"
	same_as_runc 'id; hostname; pwd; ls -l /dev | wc -l; cat /proc/self/limits | grep files'
}

@test "spec does not overwrite" {
	run fief spec --bundle "$bundle"
	expect_part 1 "file config.json exists"
}

@test "a stock container looks inside as with runc" {
	same_as_runc 'while read -r _ _ _ _ at flags rest; do
			case $at in
			/ | */cgroup*) continue ;;
			/proc/[ak]* | /proc/t* | /proc/sc* | /sys/f*) flags=masked rest= ;; # as tight with both
			esac
			rest=${rest#*- }
			echo "$at $flags ${rest%% *}"
		done </proc/self/mountinfo | sort; ls -la /dev | tr -s " " | cut -d" " -f1-4,5- | grep -v ":"
		grep -E "^(Cap|NoNew|Seccomp:|Groups|Sig[BI]|Umask)" /proc/self/status
		ls /proc/self/fd | wc -l; env | sort | grep -v HOME; cat /proc/1/oom_score_adj; ulimit -a'
}

# ---- life cycle

@test "create, start, kill and delete, with the states between" {
	create_it 'echo started; exec sleep 100'
	container_is created
	[[ ! -s $BATS_TEST_TMPDIR/out ]]
	fief start "$id"
	container_is running
	wait_for 5 grep -q started "$BATS_TEST_TMPDIR/out"
	run fief delete "$id"
	expect_part 1 "cannot delete container $id that is not stopped: running"
	fief kill "$id" KILL
	wait_for 5 container_is stopped
	fief delete "$id"
	[[ -z $(ls "$state") ]]
}

@test "state tells what the specification asks for" {
	create_it 'exec sleep 100' '.annotations = {"a": "b"}'
	run fief state "$id"
	jq -e --arg bundle "$bundle" --arg id "$id" '.ociVersion == "1.0.2" and .id == $id and
		.status == "created" and .pid > 1 and .bundle == $bundle and .annotations.a == "b" and
		(.created | test("^[0-9]{4}-[0-9-]*T[0-9:.]*Z$"))' <<<"$output"
	[[ $(readlink "/proc/$(jq .pid <<<"$output")/ns/pid") != "$(readlink /proc/self/ns/pid)" ]]
}

@test "the pid file holds the pid and nothing else" {
	configure 'sleep 100'
	fief create --pid-file "$BATS_TEST_TMPDIR/pid" --bundle "$bundle" "$id" >/dev/null 3>&-
	[[ $(fief state "$id" | jq .pid) == "$(cat "$BATS_TEST_TMPDIR/pid")" ]]
	[[ $(wc -l <"$BATS_TEST_TMPDIR/pid") -eq 0 ]]
}

@test "texts of errors are those that callers of runc match" {
	run fief state none
	expect_part 1 "container does not exist"
	run fief kill none
	expect_part 1 "container does not exist"
	run fief delete none
	expect_part 1 "container does not exist"
	run fief exec none true
	expect_part 255 "exec failed: container does not exist"
	run fief delete --force none
	expect 0 ""
	run fief create --bundle "$bundle" a/b
	expect_part 1 "invalid container ID format"
	create_it 'exec sleep 100'
	run create_quietly
	expect_part 1 "container with given ID already exists"
	run fief kill "$id" FOO
	expect_part 1 'unknown signal "FOO"'
	fief start "$id"
	run fief start "$id"
	expect_part 1 "cannot start an already running container"
	fief kill "$id" 9
	wait_for 5 container_is stopped
	run fief start "$id"
	expect_part 1 "cannot start a container that has stopped"
	run fief kill "$id"
	expect_part 1 "container not running"
	run fief exec "$id" true
	expect_part 255 "cannot exec in a stopped container"
}

@test "a created container can be deleted, and killed" {
	create_it true
	fief delete "$id"
	[[ -z $(ls "$state") ]]
	create_it true
	fief kill "$id" KILL
	wait_for 5 container_is stopped
	fief delete "$id"
}

@test "a created container holds no descriptor of the host" {
	create_it 'exec sleep 100'
	pid=$(fief state "$id" | jq .pid)
	run bash -c "cd /proc/$pid/fd && for f in *; do readlink \$f; done | sed 's/:.*//' | sort"
	expect 0 "/dev/null
$BATS_TEST_TMPDIR/out
$BATS_TEST_TMPDIR/out
socket"
}

@test "kill --all reaches every process, delete --force a running container" {
	start_it 'sleep 100 & sleep 100 & wait' '.linux.namespaces |= map(select(.type != "pid"))'
	wait_for 5 eval '[[ $(wc -l <"$(cgroup_dir pids)/cgroup.procs") -eq 3 ]]'
	fief kill --all "$id" KILL
	wait_for 5 container_is stopped
	fief delete "$id"
	start_it 'exec sleep 100'
	fief delete --force "$id"
	[[ -z $(ls "$state") ]]
}

@test "delete --force ends a frozen container" {
	start_it 'sleep 100 & wait'
	freeze_cgroup "$(cgroup_dir freezer)"
	wait_for 5 container_is paused
	run fief exec "$id" true
	expect_part 255 "cannot exec in a paused container (use --ignore-paused to override)"
	run timeout 8 "$FIEF_BUILD/fief" --root "$state" delete --force "$id"
	expect 0 ""
}

@test "list shows containers as a table, as ids and as JSON" {
	run fief list --format json
	expect 0 null
	create_it 'exec sleep 100'
	run fief list
	[[ ${lines[0]} =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER$ ]]
	[[ ${lines[1]} =~ ^$id\ +[0-9]+\ +created\ +$bundle\ +20.*Z\ +root$ ]]
	run fief list -q
	expect 0 "$id"
	run fief list --format json
	[[ $(jq -r '.[0].id + .[0].status' <<<"$output") == "${id}created" ]]
}

# ---- exec

@test "exec runs beside the program, with its user, environment and directory" {
	start_it 'exec sleep 100' '.process.cwd = "/data" | .process.env += ["A=b"]'
	run fief exec "$id" sh -c 'echo $A $PWD $(id -u); cd /proc/1/ns; for ns in *; do
		test "$(readlink $ns)" = "$(readlink /proc/self/ns/$ns)" || echo "another $ns"; done'
	expect 0 'b /data 0'
	run fief exec "$id" sh -c 'exit 9'
	expect 9 ""
	run fief exec "$id" sh -c 'kill -15 $$'
	expect 143 ""
	run fief exec "$id" cat <<<"typed"
	expect 0 typed
}

@test "exec takes user, groups, environment and directory from its options" {
	start_it 'exec sleep 100'
	run fief exec --user 1000:2000 -g 3000 -g 3001 --env X=1 -e Y=2 --cwd /tmp "$id" \
		sh -c 'id -u; id -g; id -G; echo $X$Y $PWD; grep CapEff /proc/self/status'
	expect 0 $'1000\n2000\n2000 3000 3001\n12 /tmp\nCapEff:\t0000000000000000'
	for user in x 1:y 1: -1 4294967295 ' 1' 1:1:1; do
		run fief exec --user "$user" "$id" true
		[[ $status -eq 255 ]] || fail "user '$user': status $status"
	done
}

@test "exec --cap adds a capability, and none that is inherited" {
	start_it 'exec sleep 100'
	run fief exec --cap CAP_SYS_ADMIN "$id" sh -c 'grep -E "^Cap" /proc/self/status'
	expect 0 $'CapInh:\t0000000000000000\nCapPrm:\t0000000020200420\nCapEff:\t0000000020200420\nCapBnd:\t0000000020200420\nCapAmb:\t0000000000000000'
	run fief exec --cap CAP_SYS_RESOURCE "$id" echo ended
	[[ $status -eq 0 && ${lines[-1]} == ended ]] || fail "$output"
	run fief exec --cap CAP_NONSENSE "$id" true
	expect_part 255 "CAP_NONSENSE"
}

@test "exec --process takes the process as JSON" {
	start_it 'exec sleep 100'
	jq '.process | .args = ["sh", "-c", "id -u; pwd; ulimit -n"] | .user.uid = 5 | .cwd = "/etc" |
		.rlimits = [{type: "RLIMIT_NOFILE", soft: 77, hard: 88}]' \
		"$bundle/config.json" >"$BATS_TEST_TMPDIR/process"
	run fief exec --process "$BATS_TEST_TMPDIR/process" "$id"
	expect 0 $'5\n/etc\n77'
	jq '.cwd = "etc"' "$BATS_TEST_TMPDIR/process" >"$BATS_TEST_TMPDIR/bad"
	run fief exec --process "$BATS_TEST_TMPDIR/bad" "$id"
	expect_part 255 ".cwd"
}

@test "exec --detach returns at once and writes the pid file" {
	start_it 'exec sleep 100'
	fief exec --detach --pid-file "$BATS_TEST_TMPDIR/pid" "$id" sleep 50 </dev/null >/dev/null 2>&1 3>&-
	pid=$(cat "$BATS_TEST_TMPDIR/pid")
	[[ $(tr '\0' ' ' <"/proc/$pid/cmdline") == "sleep 50 " ]]
	[[ $(cat "/proc/$pid/cgroup") == "$(cat "/proc/$(fief state "$id" | jq .pid)/cgroup")" ]]
}

@test "exec whose pid file cannot be written leaves no process" {
	start_it 'exec sleep 100'
	run fief exec --detach --pid-file /nonexistent/pid "$id" sleep 50
	expect_part 255 "/nonexistent/pid"
	run fief exec "$id" sh -c 'ps | grep -c "[s]leep 50"'
	expect 1 0
}

@test "exec fails with 255 and says why" {
	start_it 'exec sleep 100'
	run fief exec "$id" /nope
	expect_part 255 'stat /nope: no such file or directory'
	run fief exec "$id" nope
	expect_part 255 'exec: "nope": executable file not found in $PATH'
	run fief exec "$id" /etc/passwd
	expect_part 255 'permission denied'
	run fief exec --cwd /missing "$id" true
	expect_part 255 '/missing'
	run fief exec "$id"
	[[ $status -eq 255 ]]
}

@test "exec and run hand on the descriptors of --preserve-fds and no others" {
	start_it 'exec sleep 100'
	run fief exec --preserve-fds 1 "$id" sh -c 'cat <&3; ls /proc/self/fd | wc -l' 3<<<three 4<<<four 7<<<seven
	expect 0 $'three\n5'
	fief delete --force "$id"
	configure 'cat <&3; ls /proc/self/fd | wc -l'
	run fief run --preserve-fds 1 --bundle "$bundle" "$id" 3<<<three 4<<<four 7<<<seven
	expect 0 $'three\n5'
	run fief run --preserve-fds 7 --bundle "$bundle" "$id" 3<<<three 4>&- 5>&-
	expect_part 1 "descriptor 4 is to be preserved"
}

@test "exec in a created container works" {
	create_it 'exec sleep 100'
	run fief exec "$id" echo yes
	expect 0 yes
}

# ---- terminals

@test "a terminal goes to the console socket" {
	configure 'tty; stty size; ls -l /dev/console | cut -c1; test -t 0 && echo typed: $(head -1)' \
		'.process.terminal = true | .process.consoleSize = {height: 30, width: 90}'
	start_bg console python3 "$BATS_TEST_DIRNAME/../lib/console.py" "$BATS_TEST_TMPDIR/sock" $'hello\n'
	wait_for 5 test -S "$BATS_TEST_TMPDIR/sock"
	fief create --console-socket "$BATS_TEST_TMPDIR/sock" --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1 3>&-
	fief start "$id"
	wait_for 5 container_is stopped
	wait_for 5 bg_ended console
	run tr -d '\r' <"$BATS_TEST_TMPDIR/console.log"
	[[ $output == *"/dev/pts/0"*"30 90"*"c"*"typed: hello"* ]] || fail "$output"
	! grep -q $'\r' "$BATS_TEST_TMPDIR/console.log"
}

@test "exec --tty with a console socket" {
	start_it 'exec sleep 100'
	start_bg console python3 "$BATS_TEST_DIRNAME/../lib/console.py" "$BATS_TEST_TMPDIR/sock"
	wait_for 5 test -S "$BATS_TEST_TMPDIR/sock"
	fief exec --detach --tty --console-socket "$BATS_TEST_TMPDIR/sock" "$id" sh -c 'tty; echo done' </dev/null >/dev/null 2>&1 3>&-
	wait_for 5 bg_ended console
	run cat "$BATS_TEST_TMPDIR/console.log"
	expect 0 $'/dev/pts/0\ndone'
}

@test "in the foreground the terminal is the caller's" {
	configure 'tty; test -t 0 && test -t 1 && echo both; exit 4' '.process.terminal = true'
	run script -qec "'$FIEF_BUILD/fief' --root '$state' run --bundle '$bundle' $id" /dev/null </dev/null
	[[ $status -eq 4 && $output == *"/dev/pts/0"*"both"* ]] || fail "status $status: $output"
	start_it 'exec sleep 100'
	run script -qec "'$FIEF_BUILD/fief' --root '$state' exec --tty $id sh -c 'tty; exit 5'" /dev/null </dev/null
	[[ $status -eq 5 && $output == *"/dev/pts/0"* ]] || fail "status $status: $output"
}

@test "terminal and console socket must fit" {
	configure true '.process.terminal = true'
	run create_quietly
	expect_part 1 "cannot allocate tty if fief will detach without setting console socket"
	configure true
	run fief create --console-socket "$BATS_TEST_TMPDIR/sock" --bundle "$bundle" "$id"
	expect_part 1 "cannot use console socket if fief will not detach or allocate tty"
	start_it 'exec sleep 100'
	run fief exec --tty --detach "$id" true
	expect_part 255 "console socket"
}

# ---- hooks

# A hook that appends its name, the state's status and pid to the log, and the mount namespace.
hooks_filter()
{
	cat >"$BATS_TEST_TMPDIR/hook" <<-'SCRIPT'
		#!/bin/bash
		state=$(cat)
		host=inside
		[[ $(readlink /proc/self/ns/uts) == "$HOST_UTS" ]] && host=outside
		echo "$1 $(sed 's/.*"status":"\([a-z]*\)".*/\1/' <<<"$state") $host $A" >>"$LOG"
	SCRIPT
	chmod 0755 "$BATS_TEST_TMPDIR/hook"
	touch "$BATS_TEST_TMPDIR/log"
	echo 'def hook($name): [{path: $hook, args: ["hook", $name],
		env: ["PATH=/usr/bin:/bin", "A=env", "LOG=" + $log, "HOST_UTS=" + $uts]}];
		.hooks = {prestart: hook("prestart"), createRuntime: hook("createRuntime"),
		createContainer: hook("createContainer"), poststart: hook("poststart"),
		poststop: hook("poststop"), startContainer: [{path: "/bin/sh", args: ["sh", "-c",
			"sed s/.*status...// | cut -c1-7 >/tmp/start; echo $A >>/tmp/start"], env: ["A=env"]}]}'
}

@test "hooks run in order, in their namespaces, with the state on standard input" {
	hooks_filter >"$BATS_TEST_TMPDIR/filter"
	configure 'cat /tmp/start' '.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}]'
	jq --arg hook "$BATS_TEST_TMPDIR/hook" --arg log "$BATS_TEST_TMPDIR/log" \
		--arg uts "$(readlink /proc/self/ns/uts)" -f "$BATS_TEST_TMPDIR/filter" \
		"$bundle/config.json" >"$bundle/new" && mv "$bundle/new" "$bundle/config.json"
	fief create --bundle "$bundle" "$id" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&-
	run cat "$BATS_TEST_TMPDIR/log"
	expect 0 $'prestart creating outside env\ncreateRuntime creating outside env\ncreateContainer creating inside env'
	fief start "$id"
	wait_for 5 container_is stopped
	fief delete "$id"
	run tail -n +4 "$BATS_TEST_TMPDIR/log"
	expect 0 $'poststart running outside env\npoststop stopped outside env'
	run cat "$BATS_TEST_TMPDIR/out"
	expect 0 $'created\nenv'
}

@test "a failing hook ends the creation and leaves nothing" {
	for kind in prestart createRuntime createContainer startContainer poststart; do
		configure 'sleep 100' ".hooks.$kind = [{path: \"/bin/busybox\", args: [\"sh\", \"-c\", \"exit 3\"]}]"
		run fief run --detach --bundle "$bundle" "$id" </dev/null 3>&-
		expect_part 1 "$kind hook 0: hook '/bin/busybox': exit status 3"
		[[ -z $(ls "$state") ]] || fail "$kind: state is left"
	done
	configure 'sleep 100' '.hooks.createRuntime = [{path: "/no/such/hook"}]'
	run create_quietly
	expect_part 1 "/no/such/hook"
	refute_leftovers "$BATS_TEST_TMPDIR" "$cgroup/"
}

@test "a failing poststop hook is a warning" {
	configure true '.hooks.poststop = [{path: "/bin/false"}]'
	run fief run --bundle "$bundle" "$id"
	expect_part 0 "poststop hook 0"
}

@test "a hanging hook is killed with its children when its time is over" {
	configure 'sleep 100' '.hooks.createRuntime = [{path: "/bin/busybox",
		args: ["sh", "-c", "sleep 4711 & sleep 4711"], timeout: 1}]'
	run create_quietly
	expect_part 1 "no end within 1 seconds"
	wait_for 5 eval '! grep -qsz 4711 /proc/[0-9]*/cmdline'
}

# ---- errors

@test "errors go to the log as one JSON object" {
	run fief --log "$BATS_TEST_TMPDIR/log" --log-format json start none
	[[ $status -eq 1 ]]
	[[ $(jq -r '.level + ": " + .msg' "$BATS_TEST_TMPDIR/log") == "error: container does not exist"* ]]
	[[ $(wc -l <"$BATS_TEST_TMPDIR/log") -eq 1 ]]
	jq -e '.time | test("^[0-9-]*T[0-9:]*Z$")' "$BATS_TEST_TMPDIR/log"
	run fief --log-format=json --log "$BATS_TEST_TMPDIR/empty" list
	[[ $status -eq 0 && ! -s $BATS_TEST_TMPDIR/empty ]]
	run fief --log "$BATS_TEST_TMPDIR/text" start none
	grep -q 'level=error msg="container does not exist' "$BATS_TEST_TMPDIR/text"
}

# refused FILTER PART: create fails, names PART, and leaves nothing.
refused()
{
	configure 'true' "$1"
	run create_quietly
	[[ $status -eq 1 && $output == *"$2"* ]] || fail "$1: status $status: $output" || return
	assert_one_line || return
	[[ ! -e $state/$id ]] || fail "$1: state is left" || return
	[[ ! -d $(cgroup_dir pids) ]] || fail "$1: cgroup is left"
}

@test "wrong types and values are refused with the path of the member" {
	refused '.ociVersion = 1' .ociVersion
	refused '.ociVersion = "2.0.0"' .ociVersion
	refused 'del(.root)' root
	refused '.root.path = 5' .root.path
	refused '.process.args = []' args
	refused '.process.args = "sh"' .process.args
	refused '.process.cwd = "work"' .process.cwd
	refused '.process.user.uid = -1' .process.user.uid
	refused '.process.user.uid = 4294967295' .process.user.uid
	refused '.process.user.additionalGids = [1, 99999999999]' '.process.user.additionalGids[1]'
	refused '.process.rlimits = [{type: "RLIMIT_X", soft: 1, hard: 1}]' '.process.rlimits[0].type'
	refused '.process.rlimits += .process.rlimits' 'duplicate'
	refused '.process.oomScoreAdj = 1001' .process.oomScoreAdj
	refused '.mounts[2].destination = ""' '.mounts[2].destination'
	refused '.mounts[1].options = [1]' '.mounts[1].options[0]'
	refused '.mounts += [{destination: "/data", type: "bind"}]' '.mounts[7]'
	refused '.linux.namespaces += [{type: "pid"}]' '.linux.namespaces[6]'
	refused '.linux.namespaces += [{type: "foo"}]' '.linux.namespaces[6].type'
	refused '.linux.namespaces[0].path = "relative"' '.linux.namespaces[0].path'
	refused '.linux.namespaces |= map(select(.type != "mount"))' 'mount namespace'
	refused '.linux.namespaces |= map(select(.type != "uts"))' 'UTS namespace'
	refused '.linux.namespaces += [{type: "user"}]' 'uidMappings'
	refused '.linux.uidMappings = [{containerID: 0, hostID: 0, size: 1}]' 'user namespace'
	refused '.linux.devices = [{path: "dev/x", type: "c"}]' '.linux.devices[0].path'
	refused '.linux.devices = [{path: "/dev/x", type: "q"}]' '.linux.devices[0].type'
	refused '.linux.resources.devices[0].access = "rwx"' '.linux.resources.devices[0].access'
	refused '.linux.resources.memory.limit = "1"' '.linux.resources.memory.limit'
	refused '.linux.resources.memory.limit = 1.5' '.linux.resources.memory.limit'
	refused '.linux.seccomp = {defaultAction: "NO"}' '.linux.seccomp.defaultAction'
	refused '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["read"], action: "X"}]}' \
		'.linux.seccomp.syscalls[0].action'
	refused '.linux.sysctl = {"vm.swappiness": "1"}' 'sysctl.vm.swappiness'
	refused '.linux.cgroupsPath = "/../x"' cgroupsPath
	refused '.linux.cgroupsPath = "."' cgroupsPath
	refused '.linux.cgroupsPath = "/"' cgroupsPath
	refused '.linux.rootfsPropagation = "loud"' rootfsPropagation
	refused '.linux.personality = {domain: "LINUX64"}' .linux.personality.domain
	refused '.hooks.poststop = [{path: "rel"}]' '.hooks.poststop[0].path'
	refused '.hooks.poststop = [{path: "/x", timeout: 0}]' '.hooks.poststop[0].timeout'
}

@test "failures of the set-up say what failed and leave nothing" {
	refused '.root.path = "/no/such/root"' "root file system '/no/such/root'"
	refused '.root.path = "/etc/passwd"' "is not a directory"
	refused '.mounts += [{destination: "/data", type: "bind", source: "/no/such", options: ["bind"]}]' "'/no/such'"
	refused '.mounts += [{destination: "/data", type: "nofs", source: "x"}]' "mount '/data': file system 'nofs'"
	refused '.mounts += [{destination: "/data", type: "tmpfs", source: "x", options: ["size=bad"]}]' "option 'size=bad'"
	refused '.mounts += [{destination: "/proc/self/attr", type: "tmpfs", source: "x"}]' "inside /proc"
	refused '.process.cwd = "/bin/sh"' '/bin/sh'
	refused '.process.args = ["/nope"]' 'no such file or directory'
	refused '.process.user.uid = 70000 | .linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 300000, size: 65536}] |
		.linux.gidMappings = .linux.uidMappings' 'set user 70000'
	refused '.linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 1, hostID: 300000, size: 65536}] |
		.linux.gidMappings = .linux.uidMappings' 'is id 0 mapped?'
	refused '.linux.namespaces[1].path = "/proc/self/ns/uts"' "is not a"
	refused '.linux.namespaces[1].path = "/no/such"' "/no/such"
	refused '.linux.devices = [{path: "/data/", type: "c", major: 1, minor: 3}]' '/data/'
	refused '.linux.resources.unified = {"memory.nothing": "1"}' unified
	refused '.linux.resources.cpu.cpus = "900"' cpuset.cpus
	refute_leftovers "$BATS_TEST_TMPDIR" "$cgroup/"
}

@test "a broken or missing config.json is named" {
	echo '{"ociVersion": "1.0.2",' >"$bundle/config.json"
	run create_quietly
	expect_part 1 "config.json"
	printf '{"ociVersion": "1.0.2", "ociVersion": "1.0.2"}' >"$bundle/config.json"
	run create_quietly
	expect_part 1 "ociVersion"
	rm "$bundle/config.json"
	run create_quietly
	expect_part 1 "no such file or directory"
	run fief create --bundle /no/such/bundle "$id"
	expect_part 1 "/no/such/bundle"
	[[ -z $(ls "$state" 2>/dev/null) ]]
}

# What a create killed at its Nth syscall leaves is removed by delete --force.
killed_at()
{
	local syscalls=$1 n=$2
	strace -qq -o /dev/null -e "inject=$syscalls:signal=SIGKILL:when=$n" \
		"$FIEF_BUILD/fief" --root "$state" create --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1 3>&- || true
	timeout 20 "$FIEF_BUILD/fief" --root "$state" delete --force "$id" || fail "delete after syscall $n" || return
	[[ ! -e $state/$id ]] || fail "state after syscall $n" || return
	wait_for 5 eval '! leftover_processes "$BATS_TEST_TMPDIR" | grep -q .' || return
	refute_leftovers "$BATS_TEST_TMPDIR" "$cgroup/" || fail "syscall $n"
}

@test "a create killed at any point leaves nothing that delete --force does not remove" {
	configure 'sleep 100' '.hooks.createRuntime = [{path: "/bin/true"}]'
	strace -qq -o "$BATS_TEST_TMPDIR/trace" "$FIEF_BUILD/fief" --root "$state" \
		create --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1 3>&-
	calls=$(grep -c '(' "$BATS_TEST_TMPDIR/trace")
	fief delete --force "$id"
	[[ $calls -gt 100 ]]
	for ((n = 40; n <= calls; n += calls / 25 + 1)); do
		killed_at all "$n"
	done
}

# A run whose Nth syscall fails: it ends, and what it may have left is removed by delete --force.
failed_at()
{
	local n=$1
	timeout 20 strace -qq -o /dev/null -e "inject=all:error=EIO:when=$n" \
		"$FIEF_BUILD/fief" --root "$state" run --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1 3>&- || [[ $? -ne 124 ]] ||
		fail "run hangs after the failure of syscall $n" || return
	timeout 20 "$FIEF_BUILD/fief" --root "$state" delete --force "$id" || fail "delete after syscall $n" || return
	[[ ! -e $state/$id ]] || fail "state after syscall $n" || return
	refute_leftovers "$BATS_TEST_TMPDIR" "$cgroup/" || fail "syscall $n"
}

@test "a run in which any syscall fails ends, and leaves nothing that delete --force does not remove" {
	configure true
	strace -qq -o "$BATS_TEST_TMPDIR/trace" "$FIEF_BUILD/fief" --root "$state" \
		run --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1 3>&-
	calls=$(grep -c '(' "$BATS_TEST_TMPDIR/trace")
	for ((n = 40; n <= calls; n += calls / 20 + 1)); do
		failed_at "$n"
	done
}
