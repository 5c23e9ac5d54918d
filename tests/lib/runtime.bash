# shellcheck disable=SC2034,SC2154 # what bats and the tests set and use
#
# Containers of busybox for the tests of the runtime: load ../lib/runtime (after common).
#
# Each test has a state directory, a bundle and a cgroup of its own; runtime_teardown deletes every
# container that is left and fails when anything of the test is still there.

# A root file system; shared by the tests of a file, which see it read-only unless they copy it.
make_rootfs()
{
	local applet
	mkdir -p "$1"/{bin,dev,proc,sys,tmp,etc,root,data}
	cp /bin/busybox "$1/bin/busybox"
	for applet in $("$1/bin/busybox" --list); do
		[[ -e $1/bin/$applet ]] || ln -s busybox "$1/bin/$applet"
	done
	echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
	chmod 0755 "$1"
}

runtime_setup_file()
{
	chmod 0711 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR"
	make_rootfs "$BATS_FILE_TMPDIR/rootfs"
}

runtime_setup()
{
	chmod 0711 "$BATS_TEST_TMPDIR" "$(dirname "$BATS_TEST_TMPDIR")"
	rootfs=$BATS_FILE_TMPDIR/rootfs
	state=$BATS_TEST_TMPDIR/state
	bundle=$BATS_TEST_TMPDIR/bundle
	cgroup=/fief-$(basename "$BATS_RUN_TMPDIR")-$BATS_TEST_NUMBER
	id=c$BATS_TEST_NUMBER
	mkdir -p "$bundle"
	fief spec --bundle "$bundle"
	mv "$bundle/config.json" "$bundle/base.json"
	configure true
}

fief()
{
	"$FIEF_BUILD/fief" --root "$state" "$@"
}

old_runc()
{
	command runc --root "$BATS_TEST_TMPDIR/runc" "$@"
}

# configure SCRIPT [FILTER]: config.json of a container that runs SCRIPT in sh, changed by the jq FILTER.
configure()
{
	jq --arg script "$1" --arg rootfs "$rootfs" --arg cgroup "$cgroup/$id" '
		.process.terminal = false | .process.args = ["sh", "-c", $script] |
		.root.path = $rootfs | .linux.cgroupsPath = $cgroup |
		'"${2:-.}" "$bundle/base.json" >"$bundle/config.json"
}

# run_it SCRIPT [FILTER]: `run` of the container in the foreground.
run_it()
{
	configure "$@"
	run fief run --bundle "$bundle" "$id"
}

# With a user namespace whose ids 0..65535 are the host's from 300000 on.
userns='(.linux.namespaces += [{"type": "user"}] |
	.linux.uidMappings = [{"containerID": 0, "hostID": 300000, "size": 65536}] |
	.linux.gidMappings = .linux.uidMappings)'

expect()
{
	[[ $status -eq $1 ]] || fail "status $status, not $1: $output" || return
	[[ $output == "$2" ]] || fail "this came: $output"
}

expect_part()
{
	[[ $status -eq $1 ]] || fail "status $status, not $1: $output" || return
	[[ $output == *"$2"* ]] || fail "'$2' is not in: $output"
}

# same_as_runc SCRIPT [FILTER]: both runtimes give the same output and status.
same_as_runc()
{
	local theirs their_status
	configure "$@"
	run old_runc run --bundle "$bundle" "$id"
	theirs=$output their_status=$status
	run fief run --bundle "$bundle" "$id"
	[[ $status -eq $their_status && $output == "$theirs" ]] ||
		fail "status $status, runc's is $their_status; $(diff <(echo "$theirs") <(echo "$output"))"
}

container_is()
{
	[[ $(fief state "${2:-$id}" | jq -r .status) == "$1" ]]
}

# One hierarchy with all controllers is at /sys/fs/cgroup (cgroup v2), not one for each.
unified()
{
	[[ -e /sys/fs/cgroup/cgroup.controllers ]]
}

# The directory of this test's container in the hierarchy of a v1 controller, or the only one of v2.
cgroup_dir()
{
	if unified; then
		echo "/sys/fs/cgroup$cgroup/$id"
	else
		echo "/sys/fs/cgroup/$1$cgroup/$id"
	fi
}

# freeze_cgroup DIR: of `cgroup_dir freezer`.
freeze_cgroup()
{
	if unified; then
		echo 1 >"$1/cgroup.freeze"
	else
		echo FROZEN >"$1/freezer.state"
	fi
}

# cgroup_is_frozen DIR: of `cgroup_dir freezer`.
cgroup_is_frozen()
{
	grep -qx -e FROZEN -e 'frozen 1' "$1/freezer.state" "$1/cgroup.events" 2>/dev/null
}

runtime_teardown()
{
	local left name
	stop_all
	for left in "$state"/*/; do
		[[ ! -d $left ]] || fief delete --force "$(basename "$left")"
	done
	for left in "$BATS_TEST_TMPDIR"/runc/*/; do
		[[ ! -d $left ]] || old_runc delete --force "$(basename "$left")"
	done
	refute_leftovers "$BATS_TEST_TMPDIR" "$cgroup/" || return
	for name in /sys/fs/cgroup"$cgroup" /sys/fs/cgroup/*"$cgroup"; do
		[[ ! -d $name || -L ${name%"$cgroup"} ]] || rmdir "$name"
	done
}
