#!/usr/bin/env bats
# What config.json asks for, as seen from inside: namespaces, mounts, devices, process, cgroups.

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

# refused FILTER PART
refused()
{
	configure true "$1"
	run timeout 20 "$FIEF_BUILD/fief" --root "$state" run --bundle "$bundle" "$id" </dev/null
	expect_part 1 "$2"
}

mount_of()
{
	echo "{destination: \"$1\", type: \"$2\", source: \"$3\", options: ${4:-[]}}"
}

# ---- namespaces

@test "each namespace is new when it is listed and the caller's when it is not" {
	declare -A names=([pid]=pid [network]=net [ipc]=ipc [uts]=uts [cgroup]=cgroup)
	for type in "${!names[@]}"; do
		ns=${names[$type]}
		run_it "readlink /proc/self/ns/$ns"
		[[ $status -eq 0 && $output != "$(readlink "/proc/self/ns/$ns")" ]] || fail "$type: $output"
		run_it "readlink /proc/self/ns/$ns" "del(.hostname) | .linux.namespaces |= map(select(.type != \"$type\"))"
		expect 0 "$(readlink "/proc/self/ns/$ns")"
	done
	run_it 'readlink /proc/self/ns/time' '.linux.namespaces += [{type: "time"}]'
	[[ $status -eq 0 && $output != "$(readlink "/proc/self/ns/time")" ]]
}

# hold NAME UNSHARE_OPTIONS...: a process in new namespaces; sets $held to its pid.
hold()
{
	local name=$1
	shift
	start_bg "$name" unshare "$@" sleep 100
	wait_for 5 pgrep -s "$bg_pid" -x sleep
	held=$(pgrep -s "$bg_pid" -x sleep)
}

@test "namespaces are joined by path" {
	hold all --net --ipc --uts --cgroup --pid --fork
	path() { echo ".linux.namespaces |= map(if .type == \"$1\" then .path = \"/proc/$held/ns/$2\" else . end)"; }
	for pair in network:net ipc:ipc uts:uts cgroup:cgroup pid:pid; do
		run_it "readlink /proc/self/ns/${pair#*:}" "$(path "${pair%:*}" "${pair#*:}") | del(.hostname)"
		expect 0 "$(readlink "/proc/$held/ns/${pair#*:}")"
	done
	run_it 'echo $$; ps | grep -c "[s]leep 100"' "$(path pid pid)"
	[[ ${lines[1]} == 1 ]]
}

@test "a user namespace is made with its mappings" {
	run_it 'cat /proc/self/uid_map; id -u; cat /proc/self/gid_map; ls -ln /proc/self/status | tr -s " " | cut -d" " -f3,4' "$userns"
	expect 0 $'         0     300000      65536\n0\n         0     300000      65536\n0 0'
	run_it 'cat /proc/self/uid_map; id -u; id -g' ".process.user = {uid: 31001, gid: 31001} | $userns |
		.linux.uidMappings = [{containerID: 0, hostID: 300000, size: 31001},
			{containerID: 31001, hostID: 31001, size: 1},
			{containerID: 31002, hostID: 331002, size: 34534}] | .linux.gidMappings = .linux.uidMappings"
	expect 0 $'         0     300000      31001\n     31001      31001          1\n     31002     331002      34534\n31001\n31001'
}

@test "a user namespace looks inside as with runc" {
	same_as_runc 'id; ls -ln / | grep -v total | tr -s " " | cut -d" " -f1,3-4,9; ls -ln /dev | tr -s " " | cut -d" " -f1,3,5-6,10 | sort
		grep -E "^(Cap|NoNew|Groups)" /proc/self/status; cat /proc/self/setgroups; touch /dev/shm/x && stat -c %u /dev/shm/x' "$userns"
}

@test "a user namespace is joined by path, with the others and the pid namespace of it" {
	hold user --user --net --pid --fork
	echo 0 300000 65536 >"/proc/$held/uid_map"
	echo 0 300000 65536 >"/proc/$held/gid_map"
	run_it 'readlink /proc/self/ns/user; readlink /proc/self/ns/net; readlink /proc/self/ns/pid; id -u' \
		".linux.namespaces |= (map(if .type == \"network\" then .path = \"/proc/$held/ns/net\"
			elif .type == \"pid\" then .path = \"/proc/$held/ns/pid\" else . end) + [{type: \"user\", path: \"/proc/$held/ns/user\"}])"
	expect 0 "$(readlink "/proc/$held/ns/user")
$(readlink "/proc/$held/ns/net")
$(readlink "/proc/$held/ns/pid")
0"
}

@test "a network namespace of the host, bound in a private mount namespace, serves a new user namespace" {
	configure 'readlink /proc/self/ns/net; cat /proc/self/uid_map' "$userns | .mounts |= map(select(.type != \"sysfs\" and .type != \"cgroup\")) |
		.linux.namespaces |= map(if .type == \"network\" then .path = \"$BATS_TEST_TMPDIR/netns\" else . end)"
	touch "$BATS_TEST_TMPDIR/netns"
	run private_mounts bash -c 'unshare --net mount --bind /proc/self/ns/net "$1/netns" || exit
		stat -L -c "net:[%i]" "$1/netns"; exec "$2" --root "$1/state" run --bundle "$1/bundle" c' - "$BATS_TEST_TMPDIR" "$FIEF_BUILD/fief"
	[[ $status -eq 0 && ${lines[0]} == "${lines[1]}" && ${lines[2]} == *300000* ]] || fail "$output"
}

@test "sysfs of a network namespace that the user namespace does not own is refused by name" {
	refused "$userns | .linux.namespaces |= map(select(.type != \"network\"))" "mount '/sys'"
}

@test "hostname and domainname are set, and lo is up" {
	run_it 'hostname; cat /proc/sys/kernel/domainname; ip addr show lo | grep -c "LOOPBACK,UP"' \
		'.hostname = "box" | .domainname = "example.org"'
	expect 0 $'box\nexample.org\n1'
}

# ---- mounts

@test "bind mounts: file, directory, relative source, read-only, and targets made when missing" {
	echo content >"$bundle/file"
	mkdir "$bundle/dir"
	echo in >"$bundle/dir/in"
	cp -a "$rootfs" "$BATS_TEST_TMPDIR/root"
	run_it 'cat /a/b/file /dir/in; echo x 2>/dev/null >/dir/x || echo ro; echo y >/rw/y; stat -c %a /a /a/b; ls /' \
		".root = {path: \"$BATS_TEST_TMPDIR/root\", readonly: true} | .mounts += [
			$(mount_of /a/b/file bind file '["bind"]'), $(mount_of dir none dir '["rbind", "ro"]'),
			$(mount_of /rw bind "$bundle/dir" '["bind", "nosuid"]')]"
	[[ $status -eq 0 && $output == $'content\nin\nro\n755\n755'* ]] || fail "$output"
	[[ $(cat "$bundle/dir/y") == y ]]
}

@test "modes of what is made do not depend on the umask" {
	cp -a "$rootfs" "$BATS_TEST_TMPDIR/root"
	configure 'stat -c "%n %a" /a /a/b /dev/null /data/new; umask' ".root.path = \"$BATS_TEST_TMPDIR/root\" | .root.readonly = false |
		.mounts += [$(mount_of /a/b tmpfs tmpfs '["mode=0711"]')] | .process.args[2] = \"mkdir /data/new; \" + .process.args[2]"
	run bash -c 'umask 0777; exec "$@"' - "$FIEF_BUILD/fief" --root "$state" run --bundle "$bundle" "$id"
	expect 0 $'/a 755\n/a/b 711\n/dev/null 666\n/data/new 755\n0022'
	[[ $(stat -c %a "$state") == 711 ]]
	run_it 'umask' '.process.user.umask = 63'
	expect 0 0077
}

@test "rbind takes what is mounted below along, bind does not, and rro makes all of it read-only" {
	configure 'cat /all/sub/f; ls /top/sub; echo x >/all/sub/x && echo rw; echo x 2>/dev/null >/ro/sub/x || echo ro' \
		".mounts += [$(mount_of /all bind tree '["rbind"]'), $(mount_of /top bind tree '["bind"]'), $(mount_of /ro bind tree '["rbind", "rro"]')] |
		.root.path = \"$BATS_TEST_TMPDIR/root\""
	cp -a "$rootfs" "$BATS_TEST_TMPDIR/root"
	mkdir -p "$bundle/tree/sub"
	run private_mounts bash -c 'mount -t tmpfs tmpfs "$1/bundle/tree/sub"; echo deep >"$1/bundle/tree/sub/f"
		exec "$2" --root "$1/state" run --bundle "$1/bundle" c' - "$BATS_TEST_TMPDIR" "$FIEF_BUILD/fief"
	expect 0 $'deep\nrw\nro'
}

@test "an idmapped root is seen through the mapping" {
	configure 'stat -c "%u:%g" / /bin/busybox; touch /data/new && stat -c %u /data/new' "$userns |
		.root = {path: \"$BATS_TEST_TMPDIR/mapped\", readonly: false}"
	cp -a "$rootfs" "$BATS_TEST_TMPDIR/root"
	mkdir "$BATS_TEST_TMPDIR/mapped"
	run private_mounts bash -c 'python3 "$3" "$1/root" "$1/mapped" 300000 &&
		exec "$2" --root "$1/state" run --bundle "$1/bundle" c' - "$BATS_TEST_TMPDIR" "$FIEF_BUILD/fief" "$BATS_TEST_DIRNAME/../lib/idmap.py"
	expect 0 $'0:0\n0:0\n0'
	[[ $(stat -c %u "$BATS_TEST_TMPDIR/root/data/new") -eq 0 ]]
}

@test "new file systems take their own options and those of mounts" {
	run_it 'grep -E " /(tmp|data|root|proc|dev/pts) " /proc/self/mountinfo | cut -d" " -f5- | sed "s/ - [a-z]* [a-z]* / /; s/,inode.*//"
		stat -c "%a %u" /tmp /data; mount | grep -c mqueue' \
		".mounts += [$(mount_of /tmp tmpfs tmp '["mode=1777", "size=1m", "nr_inodes=100", "noatime", "nodev"]'),
			$(mount_of /data tmpfs tmpfs '["uid=5", "gid=6", "mode=750", "noexec", "ro", "nosymfollow"]'),
			$(mount_of /root tmpfs tmpfs '["strictatime", "nodiratime", "sync", "dirsync", "lazytime", "iversion", "async"]')] |
		.mounts[0].options = [\"hidepid=2\", \"nosuid\"]"
	expect 0 '/proc rw,nosuid,relatime rw,hidepid=invisible
/dev/pts rw,nosuid,noexec,relatime rw,gid=5,mode=620,ptmxmode=666
/tmp rw,nodev,noatime rw,size=1024k,nr_inodes=100
/data ro,noexec,relatime,nosymfollow rw,mode=750,uid=5,gid=6
/root rw,nodiratime rw,sync,dirsync,lazytime
1777 0
750 5
1'
}

@test "every standard option of the specification is taken" {
	run_it 'echo fine' ".mounts += [$(mount_of /data tmpfs tmpfs '["async", "atime", "defaults", "dev", "diratime", "dirsync", "exec",
		"iversion", "lazytime", "loud", "noatime", "nodev", "nodiratime", "noexec", "noiversion", "nolazytime", "norelatime",
		"nostrictatime", "nosuid", "private", "relatime", "rprivate", "rw", "silent", "strictatime", "suid", "sync", "symfollow",
		"nosymfollow", "rnoatime", "rro", "rrw", "rnosuid", "rsuid", "rdev", "rexec", "mand", "nomand"]'),
		$(mount_of /tmp bind /tmp '["rbind", "rslave", "ro", "ratime", "rdev", "rdiratime", "rexec", "rnoatime", "rnodev", "rnodiratime",
		"rnoexec", "rnorelatime", "rnostrictatime", "rnosuid", "rnosymfollow", "rrelatime", "rro", "rrw", "rstrictatime", "rsuid", "rsymfollow"]')]"
	expect 0 fine
}

@test "remount changes what was mounted before" {
	run_it 'touch /tmp/x 2>/dev/null || echo ro' ".mounts += [$(mount_of /tmp tmpfs tmpfs), $(mount_of /tmp none none '["remount", "bind", "ro"]')]"
	expect 0 ro
}

@test "tmpcopyup fills a tmpfs with what it covers" {
	cp -a "$rootfs" "$BATS_TEST_TMPDIR/root"
	mkdir -p "$BATS_TEST_TMPDIR/root/data/sub"
	echo below >"$BATS_TEST_TMPDIR/root/data/sub/file"
	chmod 0640 "$BATS_TEST_TMPDIR/root/data/sub/file"
	chown 7:8 "$BATS_TEST_TMPDIR/root/data/sub"
	ln -s /nowhere "$BATS_TEST_TMPDIR/root/data/link"
	chmod 01777 "$BATS_TEST_TMPDIR/root/data"
	run_it 'cat /data/sub/file; readlink /data/link; stat -c "%a %u %g" /data /data/sub /data/sub/file; echo new >/data/sub/file' \
		".root.path = \"$BATS_TEST_TMPDIR/root\" | .mounts += [$(mount_of /data tmpfs tmpfs '["tmpcopyup"]')]"
	expect 0 $'below\n/nowhere\n1777 0 0\n755 7 8\n640 0 0'
	[[ $(cat "$BATS_TEST_TMPDIR/root/data/sub/file") == below ]]
}

@test "masked paths are empty, read-only paths cannot be written" {
	run_it 'cat /proc/keys | wc -c; ls /sys/firmware | wc -l; echo 1 2>/dev/null >/proc/sys/kernel/domainname || echo ro
		cat /etc/passwd | wc -c; ls /root | wc -l' '.linux.maskedPaths += ["/etc/passwd", "/root", "/no/such", "/etc/passwd"]'
	expect 0 $'0\n0\nro\n0\n0'
}

@test "root.readonly and rootfsPropagation" {
	run_it 'touch /data/x 2>&1'
	expect_part 1 "Read-only file system"
	cp -a "$rootfs" "$BATS_TEST_TMPDIR/root"
	run_it 'touch /data/x && echo rw' ".root = {path: \"$BATS_TEST_TMPDIR/root\"}"
	expect 0 rw
	for mode in shared rshared slave rslave private rprivate unbindable ''; do
		run_it 'grep " / / " /proc/self/mountinfo | head -1 >/dev/null; echo ok' ".linux.rootfsPropagation = \"$mode\""
		expect 0 ok
	done
	run_it 'awk "\$5 == \"/\"" /proc/self/mountinfo | grep -c shared:' '.linux.rootfsPropagation = "shared"'
	expect 0 1
}

@test "what is mounted inside never shows on the host" {
	configure 'mount -t tmpfs tmpfs /all && mount -t tmpfs t /all/../data && echo mounted' "
		.mounts += [$(mount_of /all bind "$bundle/tree" '["rbind", "slave"]')] | .root.path = \"$BATS_TEST_TMPDIR/root\" |
		.process.capabilities |= map_values(. + [\"CAP_SYS_ADMIN\"])"
	mkdir -p "$bundle/tree/sub"
	cp -a "$rootfs" "$BATS_TEST_TMPDIR/root"
	run unshare --mount --propagation private -- bash -c '
		mount --make-rshared / # shared as systemd has it, but not with the host
		mount -t tmpfs tmpfs "$1/bundle/tree"; mount --make-shared "$1/bundle/tree"; mkdir "$1/bundle/tree/sub"
		mount -t tmpfs tmpfs "$1/bundle/tree/sub"; before=$(wc -l </proc/self/mountinfo)
		"$2" --root "$1/state" run --bundle "$1/bundle" c; [[ $(wc -l </proc/self/mountinfo) -eq $before ]] && echo same' - "$BATS_TEST_TMPDIR" "$FIEF_BUILD/fief"
	expect 0 $'mounted\nsame'
}

@test "links of the image cannot lead a mount or device to the host" {
	cp -a "$rootfs" "$BATS_TEST_TMPDIR/root"
	mkdir "$BATS_TEST_TMPDIR/outside"
	echo secret >"$BATS_TEST_TMPDIR/outside/file"
	chmod 0600 "$BATS_TEST_TMPDIR/outside/file"
	ln -s "$BATS_TEST_TMPDIR/outside" "$BATS_TEST_TMPDIR/root/link"
	ln -s "$BATS_TEST_TMPDIR/outside/file" "$BATS_TEST_TMPDIR/root/node"
	at=".root = {path: \"$BATS_TEST_TMPDIR/root\"}"
	run_it 'echo ok' "$at | .mounts += [$(mount_of /link/made tmpfs tmpfs)]"
	[[ ! -e $BATS_TEST_TMPDIR/outside/made ]]
	refused "$at | .linux.devices = [{path: \"/node\", type: \"c\", major: 1, minor: 3}]" "has something else there"
	[[ $(stat -c %a "$BATS_TEST_TMPDIR/outside/file") == 600 ]]
	rm -r "$BATS_TEST_TMPDIR/root/dev"
	ln -s "$BATS_TEST_TMPDIR/outside" "$BATS_TEST_TMPDIR/root/dev"
	refused "$at | .mounts |= map(select(.destination | startswith(\"/dev\") | not))" "'/dev' of the root file system must be a directory"
	rm -r "$BATS_TEST_TMPDIR/root/proc"
	ln -s "$BATS_TEST_TMPDIR/outside" "$BATS_TEST_TMPDIR/root/proc"
	refused "$at | .mounts |= map(select(.destination | startswith(\"/dev\") | not))" "must be mounted on ordinary directory"
	[[ $(ls "$BATS_TEST_TMPDIR/outside") == file ]]
}

# ---- devices

@test "devices are made with owner and mode, and bound in a user namespace" {
	devices='.linux.devices = [{path: "/dev/mine", type: "c", major: 1, minor: 5, fileMode: 416, uid: 5, gid: 6},
		{path: "/dev/deep/fifo", type: "p", fileMode: 384}]'
	run_it 'stat -c "%F %a %u %g %t:%T" /dev/mine /dev/deep/fifo /dev/null; head -c 3 /dev/zero | wc -c; ls -l /dev/ptmx /dev/fd | sed "s/.*-> //"' "$devices"
	expect 0 $'character special file 640 5 6 1:5\nfifo 600 0 0 0:0\ncharacter special file 666 0 0 1:3\n3\n/proc/self/fd\npts/ptmx'
	run_it 'stat -c "%F %t:%T" /dev/null /dev/zero /dev/fuse2 /dev/fifo; echo x >/dev/null && echo written' "$userns |
		.linux.devices = [{path: \"/dev/fifo\", type: \"p\"}]" 
	[[ $output == *"character special file 1:3"*"fifo 0:0"*written ]] || fail "$output"
	refused "$userns | .linux.devices = [{path: \"/dev/nothing\", type: \"c\", major: 1, minor: 3}]" "device '/dev/nothing' of the host"
	refused "$userns | .linux.devices = [{path: \"/dev/zero\", type: \"c\", major: 1, minor: 3}]" "is not c 1:3"
}

# ---- process

@test "limits are set for every user; one that cannot be had names both limits" {
	run_it 'ulimit -n; ulimit -Hn; id -u' '.process.user = {uid: 1000, gid: 1000} |
		.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}]'
	expect 0 $'100\n200\n1000'
	run_it 'ulimit -n' '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 5, hard: 5}, {type: "RLIMIT_NPROC", soft: 3, hard: 3}]'
	expect 0 5
	if ((!(0x$(awk '/CapEff/ { print $2 }' /proc/self/status) >> 24 & 1))); then # CAP_SYS_RESOURCE
		hard=$(ulimit -Hn)
		refused ".process.rlimits = [{type: \"RLIMIT_NOFILE\", soft: 1, hard: $((hard + 1))}]" "RLIMIT_NOFILE to 1:$((hard + 1)) (the runtime's own is "
	fi
	refused '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 9, hard: 8}]' "RLIMIT_NOFILE to 9:8"
}

@test "all 41 capabilities may be asked for; what cannot be granted is a warning" {
	all=$(jq -nc '[("CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE " +
		"NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT " +
		"SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG " +
		"WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE") | split(" ")[] | "CAP_" + .]')
	[[ $(jq length <<<"$all") -eq 41 ]]
	configure 'grep -E "^Cap(Prm|Eff|Bnd)" /proc/self/status' ".process.capabilities = {bounding: $all, effective: $all, permitted: $all, inheritable: $all, ambient: $all}"
	run --separate-stderr fief run --bundle "$bundle" "$id"
	have=$(awk '/CapPrm/ { print $2 }' /proc/self/status)
	[[ $status -eq 0 && $output == $'CapPrm:\t'"$have"$'\nCapEff:\t'"$have"* ]] || fail "$output $stderr"
	[[ $have == 000001ffffffffff || $stderr == *"capability"*"cannot be granted"* ]]
}

@test "capabilities of a user other than root: none but the ambient ones" {
	run_it 'grep -E "^Cap(Prm|Eff|Amb)" /proc/self/status' '.process.user = {uid: 1000, gid: 1000}'
	expect 0 $'CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000'
	run_it 'grep -E "^Cap(Prm|Eff|Amb)" /proc/self/status' '.process.user = {uid: 1000, gid: 1000} |
		.process.capabilities += {inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"]}'
	expect 0 $'CapPrm:\t0000000000000020\nCapEff:\t0000000000000020\nCapAmb:\t0000000000000020'
	run_it 'grep -E "^Cap" /proc/self/status | cut -f2 | sort -u' 'del(.process.capabilities)'
	expect 0 0000000000000000
}

@test "user, groups, no_new_privs, oom score, environment and a missing directory" {
	run_it 'id -u; id -G; grep NoNew /proc/self/status; cat /proc/self/oom_score_adj; echo $X' \
		'.process.user = {uid: 7, gid: 8, additionalGids: [9, 10]} | .process.noNewPrivileges = false | .process.oomScoreAdj = 300 | .process.env += ["X=1"]'
	expect 0 $'7\n8 9 10\nNoNewPrivs:\t0\n300\n1'
	run_it 'grep NoNew /proc/self/status'
	expect 0 $'NoNewPrivs:\t1'
	refused '.process.cwd = "/missing"' 'chdir to cwd ("/missing") set in config.json failed: no such file or directory'
	refused '.process.cwd = "/proc/self/fd/8"' '/proc/self/fd/8'
}

@test "the session keyring is the container's own, in exec too, unless it is asked for" {
	own_ids="${userns//300000/47110000} | .linux.maskedPaths = []" # whose keys are seen: those of its ids
	configure 'grep -c "keyring *_ses" /proc/keys' "$own_ids"
	run fief run --no-new-keyring --bundle "$bundle" "$id"
	expect 1 0
	configure 'exec sleep 100' "$own_ids"
	fief run --detach --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1 3>&-
	run fief exec "$id" grep -c "keyring *_ses" /proc/keys
	expect 0 2
}

@test "personality LINUX32 holds for the program and for exec" {
	run_it 'uname -m' '.linux.personality = {domain: "LINUX32"}'
	expect 0 i686
	configure 'exec sleep 100' '.linux.personality = {domain: "LINUX32"}'
	fief run --detach --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1 3>&-
	run fief exec "$id" uname -m
	expect 0 i686
}

@test "seccomp: errno, masked arguments, default deny, with and without no_new_privs" {
	profile='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], syscalls: [
		{names: ["mkdir", "mkdirat", "no_such_call"], action: "SCMP_ACT_ERRNO", errnoRet: 38},
		{names: ["chmod", "fchmodat"], action: "SCMP_ACT_ERRNO"},
		{names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: 97, args: [{index: 0, value: 2, op: "SCMP_CMP_EQ"}]},
		{names: ["unshare"], action: "SCMP_ACT_ERRNO", errnoRet: 1, args: [{index: 0, value: 268435456, valueTwo: 268435456, op: "SCMP_CMP_MASKED_EQ"}]}]}'
	script='mkdir /tmp/x; chmod 700 /tmp; grep Seccomp: /proc/self/status; unshare -U true; nc 127.0.0.1 1'
	for privs in true false; do
		run_it "$script" "$profile | .process.noNewPrivileges = $privs"
		[[ $output == *"'/tmp/x': Function not implemented"*"/tmp: Operation not permitted"*$'Seccomp:\t2'*"unshare: unshare(0x10000000): Operation not permitted"*"Address family not supported"* ]] || fail "$output"
	done
	run_it true '.process.args = ["mkdir", "/dev/shm/x"] | .linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 99, syscalls: [{names: ["execve", "write", "exit_group",
		"brk", "arch_prctl", "mmap", "mprotect", "getuid", "setuid", "setgid", "prctl", "readlink", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "getrandom",
		"stat", "newfstatat", "fork", "clone", "wait4", "exit", "rt_sigaction", "rt_sigprocmask", "getpid", "getppid", "getcwd", "uname", "geteuid"],
		action: "SCMP_ACT_ALLOW"}]}'
	expect_part 1 "'/dev/shm/x': Cannot assign requested address"
	refused '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["read"], action: "SCMP_ACT_NOTIFY"}]}' '.linux.seccomp.syscalls[0].action'
	refused '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["read"], action: "SCMP_ACT_ERRNO", args: [{index: 6, value: 0, op: "SCMP_CMP_EQ"}]}]}' 'index'
}

@test "sysctl: of the container's namespaces only" {
	run_it 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced; cat /proc/sys/net/ipv4/conf/lo/forwarding' \
		'.linux.sysctl = {"net.ipv4.ip_unprivileged_port_start": "0", "kernel.shm_rmid_forced": "1", "net/ipv4/conf/lo/forwarding": "1"}'
	expect 0 $'0\n1\n1'
	run_it 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start' "$userns | .linux.sysctl = {\"net.ipv4.ip_unprivileged_port_start\": \"0\"}"
	expect 0 0
	refused '.linux.sysctl = {"net.no.such": "0"}' 'net.no.such'
	refused '.linux.sysctl = {"net..ipv4": "0"}' 'not a sysctl name'
	refused '.linux.sysctl = {"kernel.shm_rmid_forced": "1"} | .linux.namespaces |= map(select(.type != "ipc"))' 'ipc namespace'
	refused '.linux.sysctl = {"kernel.panic": "1"}' 'separate kernel namespace'
}

@test "labels of security modules that are off are refused as with runc" {
	[[ ! -e /sys/module/apparmor/parameters/enabled || $(cat /sys/module/apparmor/parameters/enabled) == N ]] || skip "AppArmor is on"
	refused '.process.apparmorProfile = "x"' "apparmor: config provided but apparmor not supported"
	[[ ! -e /sys/fs/selinux/enforce ]] || skip "SELinux is on"
	refused '.process.selinuxLabel = "x"' "selinux label is specified in config, but selinux is disabled or not supported"
}

# ---- cgroups

@test "memory, cpu and pids limits reach every v1 controller" {
	[[ -d /sys/fs/cgroup/memory ]] || skip "no cgroup v1 here"
	configure 'exec sleep 100' '.linux.resources += {memory: {limit: 33554432, reservation: 16777216, swappiness: 10},
		cpu: {shares: 512, quota: 20000, period: 50000, cpus: "0", mems: "0"}, pids: {limit: 20}}'
	fief run --detach --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1 3>&-
	[[ $(cat "$(cgroup_dir memory)/memory.limit_in_bytes") -eq 33554432 ]]
	[[ $(cat "$(cgroup_dir memory)/memory.soft_limit_in_bytes") -eq 16777216 ]]
	[[ $(cat "$(cgroup_dir memory)/memory.swappiness") -eq 10 ]]
	[[ $(cat "$(cgroup_dir cpu)/cpu.shares") -eq 512 ]]
	[[ $(cat "$(cgroup_dir cpu)/cpu.cfs_quota_us") -eq 20000 && $(cat "$(cgroup_dir cpu)/cpu.cfs_period_us") -eq 50000 ]]
	[[ $(cat "$(cgroup_dir cpuset)/cpuset.cpus") == 0 && $(cat "$(cgroup_dir pids)/pids.max") -eq 20 ]]
	pid=$(fief state "$id" | jq .pid)
	[[ $(grep -c "$cgroup/$id\$" "/proc/$pid/cgroup") -eq $(grep -c . "/proc/$pid/cgroup") ]] || fail "$(cat "/proc/$pid/cgroup")"
}

@test "the limits hold: a fork bomb stops, too much memory kills, denied devices stay closed" {
	run_it 'i=0; while [ $i -lt 20 ]; do sleep 100 & i=$((i + 1)); done 2>&1' '.linux.resources.pids.limit = 8'
	expect_part 2 "can't fork"
	run_it 'head -c 200m /dev/zero | tail -n 1 | wc -c' '.linux.resources.memory = {limit: 20971520, swap: 20971520}'
	# the kernel may choose the shell besides the hog
	[[ ($status -eq 0 || $status -eq 137) && $output == *Killed* ]] || fail "status $status: $output"
	run_it 'cat /dev/loopish 2>&1; head -c1 /dev/zero | wc -c' '.linux.devices = [{path: "/dev/loopish", type: "b", major: 7, minor: 0}]'
	expect 0 $'cat: can\'t open \'/dev/loopish\': Operation not permitted\n1'
}

@test "the container sees its own cgroups, read-only" {
	[[ -d /sys/fs/cgroup/memory ]] || skip "no cgroup v1 here"
	run_it 'cut -d: -f3 /proc/self/cgroup | sort -u; cat /sys/fs/cgroup/pids/pids.max; mkdir /sys/fs/cgroup/pids/x 2>/dev/null || echo ro
		cat /sys/fs/cgroup/cpu/cpu.shares; cat /sys/fs/cgroup/cpuacct/cpuacct.usage | wc -l' '.linux.resources.pids.limit = 33'
	[[ $status -eq 0 && $output == $'/\n33\nro\n1024\n1' ]] || fail "$output"
	run_it 'cat /sys/fs/cgroup/pids/pids.max; mkdir /sys/fs/cgroup/pids/x 2>/dev/null || echo ro' "$userns | .linux.resources.pids.limit = 34"
	expect 0 $'34\nro'
}

@test "a cgroup that is in use or frozen is refused and left alone" {
	dir=$(cgroup_dir pids)
	mkdir -p "$dir"
	start_bg user bash -c "echo \$\$ >'$dir/cgroup.procs'; exec sleep 100"
	wait_for 5 grep -q . "$dir/cgroup.procs"
	refused . "container's cgroup is not empty"
	bg_running user
	stop_bg user
	rmdir "$dir"
	mkdir -p "$(cgroup_dir freezer)"
	freeze_cgroup "$(cgroup_dir freezer)"
	refused . "is frozen"
	[[ ! -d $(cgroup_dir freezer) ]] || rmdir "$(cgroup_dir freezer)"
}

@test "a cgroup with children of its own is removed with them" {
	run_it 'mkdir -p /sys/fs/cgroup/pids/a/b && echo made; sleep 100 & echo $! >/sys/fs/cgroup/pids/a/b/cgroup.procs' \
		'.mounts[6].options -= ["ro"]'
	expect 0 made
	[[ ! -d $(cgroup_dir pids) ]]
}

# in_v2 CMD...: with cgroup v2 alone on /sys/fs/cgroup, as on a unified host.
in_v2()
{
	if unified; then
		"$@"
		return
	fi
	private_mounts bash -c 'mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"' - "$@"
}

v2_fief()
{
	in_v2 "$FIEF_BUILD/fief" --root "$state" "$@"
}

@test "cgroup v2: the container is cloned into its cgroup, sees it, and it is removed" {
	configure 'cat /proc/self/cgroup | tail -1; ls /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/x 2>/dev/null || echo ro'
	run v2_fief run --bundle "$bundle" "$id"
	expect 0 $'0::/\n/sys/fs/cgroup/cgroup.procs\nro'
	configure 'sleep 100 & exec sleep 100'
	v2_fief run --detach --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1 3>&-
	pid=$(fief state "$id" | jq .pid)
	[[ $(tail -1 "/proc/$pid/cgroup") == "0::$cgroup/$id" ]]
	run v2_fief exec "$id" sh -c 'tail -1 /proc/self/cgroup'
	expect 0 "0::/"
	in_v2 sh -c "echo 1 >/sys/fs/cgroup$cgroup/$id/cgroup.freeze"
	[[ $(v2_fief state "$id" | jq -r .status) == paused ]]
	run in_v2 timeout 8 "$FIEF_BUILD/fief" --root "$state" delete --force "$id"
	expect 0 ""
	in_v2 sh -c "[ ! -d /sys/fs/cgroup$cgroup/$id ]"
}

@test "cgroup v2: a container with a user namespace sees its cgroup too" {
	configure 'tail -1 /proc/self/cgroup; cat /sys/fs/cgroup/cgroup.type; mkdir /sys/fs/cgroup/x 2>/dev/null || echo ro' "$userns"
	run v2_fief run --bundle "$bundle" "$id"
	expect 0 $'0::/\ndomain\nro'
}

@test "cgroup v2: limits whose controller is missing are refused by file" {
	if ! unified; then # there none is missing
		configure true '.linux.resources.memory.limit = 33554432'
		run v2_fief run --bundle "$bundle" "$id"
		expect_part 1 "memory.max"
	fi
	configure true '.linux.resources.unified = {"memory.nothing": "1"}'
	run v2_fief run --bundle "$bundle" "$id"
	expect_part 1 "memory.nothing"
	configure true '.linux.resources.unified = {"hugetlb.2MB.max": "2097152"}'
	run v2_fief run --bundle "$bundle" "$id"
	expect 0 ""
	configure true '.linux.resources.unified = {"../x": "1"}'
	run v2_fief run --bundle "$bundle" "$id"
	expect_part 1 ".linux.resources.unified"
}

@test "cgroup v2: device rules hold, the last that fits decides" {
	script='for d in null zero full a b; do head -c 1 /dev/$d >/dev/null 2>&1 && echo "$d r"; (: >/dev/$d) 2>/dev/null && echo "$d w"; done; mknod /dev/new c 1 5 && echo mknod; mknod /dev/new2 b 7 200 && echo mknod b'
	nodes='.process.capabilities |= map_values(. + ["CAP_MKNOD"]) | .linux.devices = [{path: "/dev/a", type: "c", major: 10, minor: 229}, {path: "/dev/b", type: "c", major: 1, minor: 11}]'
	configure "$script" "$nodes"
	run v2_fief run --bundle "$bundle" "$id"
	expect 0 $'null r\nnull w\nzero r\nzero w\nfull r\nfull w\nmknod\nmknod b'
	configure "$script" "$nodes | .linux.resources.devices = [{allow: false, access: \"rwm\"}, {allow: true, type: \"c\", major: 1, minor: 11, access: \"rw\"}, {allow: false, type: \"c\", major: 1, minor: 11, access: \"r\"}]"
	run v2_fief run --bundle "$bundle" "$id"
	expect 0 $'null r\nnull w\nzero r\nzero w\nfull r\nfull w\nb w\nmknod\nmknod b'
}
