#!/usr/bin/env bats
# fief-bundle: records, bundles, and what runc says to them.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/images

setup()
{
	prefix=$BATS_TEST_TMPDIR/prefix
	etc=$BATS_TEST_TMPDIR/etc
	bundle=(fief-bundle --prefix "$prefix" --etc "$etc")
	spec=$BATS_TEST_DIRNAME/../../spec
	record=$BATS_TEST_TMPDIR/record.json
	mkdir -p "$etc"
	tiny_tree "$BATS_TEST_TMPDIR/tree"
	fief-image --prefix "$prefix" import tiny "$BATS_TEST_TMPDIR/tree" --quiet
	write_record
}

teardown()
{
	stop_all
}

# write_record [JQ]: a good record, changed by a jq expression.
write_record()
{
	echo '{"version": 1, "uid": 31001, "name": "shop", "image": "tiny"}' | jq "${1:-.}" >"$record"
}

at()
{
	echo "$prefix/var/lib/fief/bundles/31001"
}

nothing_is_there()
{
	local dir
	for dir in bundles containers; do
		[[ ! -d $prefix/var/lib/fief/$dir || -z $(ls -A "$prefix/var/lib/fief/$dir") ]] ||
			fail "left in $dir: $(ls -A "$prefix/var/lib/fief/$dir")" || return
	done
}

# refuses PART...: the record is refused in one line with the parts, and nothing is left behind.
refuses()
{
	local part
	run "${bundle[@]}" apply "$record"
	[[ $status -eq 1 ]] || fail "status $status for $(cat "$record")" || return
	assert_one_line || return
	for part; do
		[[ $output == *"$part"* ]] || fail "'$part' is not in: $output" || return
	done
	nothing_is_there
}

# Everything in a bundle: names, modes, contents.
fingerprint()
{
	(
		cd "$1" || exit
		find . -printf '%p %M %U:%G\n' | sort
		find . -type f | sort | xargs sha256sum
	)
}

@test "a record becomes a bundle with all entries of the contract, and is kept" {
	"${bundle[@]}" apply "$record"
	for dir in rootfs mnt/containers mnt/home mnt/run mnt/tmp mnt/logs mnt/shm mnt/fief mnt/sys; do
		[[ -d $(at)/$dir && -z $(ls -A "$(at)/$dir") ]]
	done
	for file in mnt/hosts mnt/resolv.conf mnt/netns; do
		[[ -f $(at)/$file && ! -s $(at)/$file ]]
	done
	[[ $(cat "$(at)/mnt/hostname") == shop && $(cat "$(at)/seed/hostname") == shop ]]
	grep -qx '31001:x:31001:31001:shop:/containers/31001:/bin/sh' "$(at)/mnt/passwd"
	grep -qx 'root:x:0:0:root:/root:/bin/sh' "$(at)/mnt/passwd"
	grep -qx '31001:x:31001:' "$(at)/mnt/group"
	[[ $(stat -c %a "$(at)") == 711 ]]
	"${bundle[@]}" show 31001 | jq -e '.memory == 268435456 and .hostname == "shop"'
	[[ $("${bundle[@]}" list) == 31001*shop* ]]
	"${bundle[@]}" list --json | jq -e 'length == 1 and .[0].uid == 31001'
	python3 "$BATS_TEST_DIRNAME/../lib/schemas.py" valid "$spec/fief-bundle.schema.json" "$(at)/fief.json"
	python3 "$BATS_TEST_DIRNAME/../lib/schemas.py" valid "$spec/container-record.schema.json" \
		"$prefix/var/lib/fief/containers/31001.json"
}

@test "config.json says what the contract says" {
	write_record '.memory = 134217728 | .cpu = {weight: 200, max: 150} | .pids = 99 | .hostname = "web"'
	"${bundle[@]}" apply "$record"
	jq -e '.ociVersion == "1.0.2" and .root == {path: "rootfs", readonly: true} and .hostname == "web"
		and .process.user == {uid: 0, gid: 0} and .process.noNewPrivileges
		and .process.args == ["/.fief/fief-init", "--uid", "31001", "--home", "/containers/31001"]
		and ([.process.env[] | select(test("/usr/local"))] == [])
		and .process.capabilities.effective == ["CAP_SETUID", "CAP_SETGID", "CAP_KILL"]
		and .process.capabilities.ambient == [] and .process.capabilities.inheritable == []
		and .linux.cgroupsPath == "/fief/31001"
		and .linux.resources.memory == {limit: 134217728, swap: 134217728}
		and .linux.resources.cpu == {shares: 2048, quota: 150000, period: 100000}
		and .linux.resources.pids.limit == 99
		and .linux.personality == null' "$(at)/config.json"
	jq -e '.linux.uidMappings == .linux.gidMappings and .linux.uidMappings == [
		{containerID: 0, hostID: 669515776, size: 31001}, {containerID: 31001, hostID: 31001, size: 1},
		{containerID: 31002, hostID: (669515776 + 31002), size: (65536 - 31002)}]' "$(at)/config.json"
	jq -e --arg netns "$(at)/mnt/netns" '[.linux.namespaces[].type] ==
		["pid", "ipc", "uts", "mount", "cgroup", "user", "network"]
		and .linux.namespaces[6].path == $netns' "$(at)/config.json"
	# sources: of the bundle, or no files at all
	jq -e '[.mounts[].source | select(test("^(mnt/[a-z.]+|proc|tmpfs|devpts|mqueue)$") | not)] == []' \
		"$(at)/config.json"
	# every bind is nosuid and nodev
	jq -e '[.mounts[] | select(.type == "bind" and (.options | contains(["nosuid", "nodev"]) | not))] == []' \
		"$(at)/config.json"
}

@test "the policy denies by default, and namespaces, mounts and clone3 in any case" {
	"${bundle[@]}" apply "$record"
	policy=$(jq .linux.seccomp "$(at)/config.json")
	jq -e '.defaultAction == "SCMP_ACT_ERRNO" and .defaultErrnoRet == 38
		and ([.syscalls[].action] | unique) == ["SCMP_ACT_ALLOW"]' <<<"$policy"
	for call in unshare setns mount umount umount2 pivot_root chroot open_tree move_mount mount_setattr \
		fsopen fsmount fsconfig fspick clone3 keyctl add_key request_key bpf userfaultfd \
		io_uring_setup io_uring_enter io_uring_register perf_event_open kexec_load kexec_file_load \
		init_module finit_module delete_module open_by_handle_at swapon reboot settimeofday \
		clock_settime acct quotactl iopl ioperm; do
		jq -e --arg call "$call" '[.syscalls[].names[] | select(. == $call)] == []' <<<"$policy" ||
			fail "allowed: $call"
	done
	jq -e '[.syscalls[] | select(.names == ["clone"])] ==
		[{names: ["clone"], action: "SCMP_ACT_ALLOW", args:
		[{index: 0, value: 2114060288, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ"}]}]' <<<"$policy"
	jq -e '[.syscalls[] | select(.names == ["socket"]) | .args[0] | select(.op == "SCMP_CMP_EQ").value] ==
		[1, 2, 10, 16] and .architectures == ["SCMP_ARCH_X86_64"]' <<<"$policy"
	# what PID 1, the Emperor and a site need
	for call in setuid setgid setgroups kill socketpair execve personality ptrace epoll_wait; do
		jq -e --arg call "$call" '[.syscalls[].names[] | select(. == $call)] != []' <<<"$policy"
	done
}

@test "a 32-bit image gets the personality LINUX32, an image with uWSGI its path" {
	sed -i 's/"amd64"/"i386"/; s|"uwsgi": null|"uwsgi": "/usr/bin/uwsgi-core"|' \
		"$(store_of "$prefix")/tiny/manifest.json"
	"${bundle[@]}" apply "$record"
	jq -e '.linux.personality == {domain: "LINUX32"}
		and .linux.seccomp.architectures == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
		and .process.args[-2:] == ["--uwsgi", "/usr/bin/uwsgi-core"]' "$(at)/config.json"
}

@test "computing a bundle twice gives the same bytes, whatever the order of the members" {
	write_record '.hosts = [{address: "192.0.2.1", names: ["db"]}] | .nameservers = ["::1"] | .cpu.weight = 7'
	"${bundle[@]}" apply "$record"
	first=$(fingerprint "$(at)")
	kept=$(cat "$prefix/var/lib/fief/containers/31001.json")
	"${bundle[@]}" remove 31001
	jq 'to_entries | reverse | from_entries' "$record" | "${bundle[@]}" apply -
	[[ $(fingerprint "$(at)") == "$first" ]]
	[[ $(cat "$prefix/var/lib/fief/containers/31001.json") == "$kept" ]]
	"${bundle[@]}" apply "$prefix/var/lib/fief/containers/31001.json"
	[[ $(fingerprint "$(at)") == "$first" ]]
}

@test "applying the same record again touches nothing" {
	"${bundle[@]}" apply "$record"
	before=$(find "$(at)" -printf '%p %i %T@\n' | sort)
	"${bundle[@]}" apply "$record"
	[[ $(find "$(at)" -printf '%p %i %T@\n' | sort) == "$before" ]]
}

@test "a prepared bundle is changed without touching what is mounted, and not removed" {
	"${bundle[@]}" apply "$record"
	write_record '.memory = 33554432'
	private_mounts bash -e -c "
		mount -t tmpfs fief '$(at)/mnt/tmp'
		touch '$(at)/mnt/tmp/here'
		fief-bundle --prefix '$prefix' --etc '$etc' apply '$record'
		[[ -e '$(at)/mnt/tmp/here' ]]
		! fief-bundle --prefix '$prefix' remove 31001 2>'$BATS_TEST_TMPDIR/refused'
		[[ -e '$(at)/mnt/tmp/here' ]]"
	grep -q "mounted on 'mnt/tmp'" "$BATS_TEST_TMPDIR/refused"
	jq -e '.memory == 33554432' "$(at)/fief.json"
	"${bundle[@]}" remove 31001
	nothing_is_there
}

@test "a container whose shim answers is not removed" {
	"${bundle[@]}" apply "$record"
	mkdir -p "$prefix/run/fief/shim"
	# the path of the socket is too long for its address
	cd "$prefix/run/fief/shim"
	start_bg shim socat UNIX-LISTEN:31001.sock,fork EXEC:true
	wait_for 5 test -S 31001.sock
	run "${bundle[@]}" remove 31001
	[[ $status -eq 1 && $output == *"its shim answers"* ]]
	[[ -f $(at)/config.json ]]
	stop_bg shim
	"${bundle[@]}" remove 31001
	nothing_is_there
	run "${bundle[@]}" remove 31001
	[[ $status -eq 1 && $output == *"no container '31001'"* ]]
}

@test "a container that the runtime has is not removed" {
	"${bundle[@]}" apply "$record"
	mkdir -p "$prefix/run/fief/runtime/31001"
	run "${bundle[@]}" remove 31001
	[[ $status -eq 1 && $output == *"the runtime has it"* ]]
	[[ -f $(at)/config.json ]]
	rmdir "$prefix/run/fief/runtime/31001"
	"${bundle[@]}" remove 31001
}

@test "what is no good record is refused with the path of the member, and leaves nothing" {
	bad=('.version = 2|.version' '.uid = 30000|.uid' '.uid = "31001"|.uid' '.uid = 1e30|.uid'
		'.name = "Shop"|.name' '.name = 7|.name' '.image = "/etc"|.image' '.image = "none"|.image'
		'.hostname = "a.b"|.hostname' '.memory = 4096|.memory' '.memory = 16777217|.memory'
		'.memory = 1e18|.memory' '.cpu = 5|.cpu' '.cpu.weight = 0|.cpu.weight' '.cpu.max = -1|.cpu.max'
		'.cpu.shares = 1|.cpu.shares' '.pids = 1|.pids' '.pids = "many"|.pids' '.netns = "x"|.netns'
		'.nameservers = ["dns"]|.nameservers[0]' '.hosts = [{address: "::1", names: [7]}]|.hosts[0].names[0]'
		'.restart = "maybe"|.restart' '.colour = "red"|.colour' 'del(.uid)|uid' 'del(.name)|name'
		'del(.image)|image' 'del(.version)|version' '[]|.')
	for case in "${bad[@]}"; do
		write_record "${case%|*}"
		refuses "${case##*|}"
	done
}

@test "a missing, broken, doubled or huge record is refused in one line" {
	echo '{"version": 1,' >"$record"
	refuses "record.json"
	echo '{"version": 1, "version": 1, "uid": 31001, "name": "a", "image": "tiny"}' >"$record"
	refuses "version"
	head -c 3000000 /dev/zero | tr '\0' ' ' >"$record"
	refuses "record.json"
	printf '[%.0s' {1..200} >"$record"
	refuses "record.json"
	rm "$record"
	refuses "record.json"
}

@test "a host user, group, subuid or subgid inside the container's ids is refused by name" {
	clash=("passwd|lisa:x:31001:100::/:/bin/sh|user 'lisa'" "passwd|deep:x:669515776:100::/:|user 'deep'"
		"group|team:x:31001:|group 'team'" "group|last:x:669581311:|group 'last'"
		"subuid|kim:30000:65536|subuid range of 'kim'" "subgid|kim:669000000:600000|subgid range of 'kim'")
	for case in "${clash[@]}"; do
		IFS='|' read -r file line part <<<"$case"
		echo "$line" >"$etc/$file"
		refuses ".uid" "$part"
		rm "$etc/$file"
	done
	echo 'lisa:x:31002:100::/:/bin/sh' >"$etc/passwd"
	echo 'kim:100000:65536' >"$etc/subuid"
	"${bundle[@]}" apply "$record"
}

@test "check says the same as apply and writes nothing" {
	"${bundle[@]}" check "$record"
	nothing_is_there
	write_record '.pids = 1'
	run "${bundle[@]}" check "$record"
	[[ $status -eq 1 && $output == *.pids* ]]
}

@test "links in an image do not lead to files of the host" {
	secret=$BATS_TEST_TMPDIR/secret
	echo 'secret:x:7:7:secret:/:/' >"$secret"
	root=$(store_of "$prefix")/tiny/rootfs
	ln -sfn "$secret" "$root/etc/passwd"
	ln -sfn "../../../../../../../../../../..$secret" "$root/etc/group"
	"${bundle[@]}" apply "$record"
	[[ $(cat "$(at)/mnt/passwd") == 31001:* && $(cat "$(at)/mnt/group") == 31001:x:31001: ]]
}

@test "the schemas and the parsers agree" {
	schemas=$BATS_TEST_DIRNAME/../lib/schemas.py
	python3 "$schemas" records "$spec/container-record.schema.json" "${bundle[@]}" check
	python3 "$schemas" manifests "$spec/image-manifest.schema.json" \
		"$(store_of "$prefix")/tiny/manifest.json" fief-image --prefix "$prefix" show tiny
}

# The home of U with a start script for an image without uWSGI.
make_home()
{
	local home=$prefix/containers/31001
	mkdir -p "$home/etc" "$prefix/run/fief/subscribe"
	cat >"$home/etc/rc.local" <<-'EOF'
		#!/bin/sh
		PATH=/bin
		for t in id hostname cat grep unshare mount; do eval "$t() { /bin/busybox $t \"\$@\"; }"; done
		echo "uid $(id -u) gid $(id -g)"
		echo "host $(hostname)"
		grep -E '^(CapEff|CapPrm|NoNewPrivs|Seccomp):' /proc/self/status
		grep ' / / ' /proc/self/mountinfo
		unshare -Ur true || echo "no nested user namespace"
		mount -t tmpfs none /tmp || echo "no mount"
		echo x >/usr/x || echo "root is read-only"
		echo x >/usr/local/x && cat /containers/31001/x
		cat /proc/self/uid_map
	EOF
	chmod 0755 "$home/etc/rc.local"
	chown -R 31001:31001 "$home"
	pass_to "$prefix/var/lib/fief/bundles"
}

@test "Debian's runc runs a prepared bundle" {
	[[ -x $FIEF_BUILD/fief-shim ]] || skip "fief-shim is not built"
	"${bundle[@]}" apply "$record"
	make_home
	private_mounts bash -e -c "
		trap 'fief-shim release --prefix \"$prefix\" \"$(at)\"' EXIT
		fief-shim prepare --prefix '$prefix' '$(at)'
		cd / && timeout 30 runc --root '$BATS_TEST_TMPDIR/runc' run -b '$(at)' fief-test-31001 </dev/null" \
		>"$BATS_TEST_TMPDIR/out" 2>&1 || fail "$(cat "$BATS_TEST_TMPDIR/out")"
	cat "$BATS_TEST_TMPDIR/out"
	for line in 'uid 31001 gid 31001' 'host shop' 'no nested user namespace' 'no mount' \
		'root is read-only' 'x'; do
		grep -qx "$line" "$BATS_TEST_TMPDIR/out" || fail "missing: $line"
	done
	grep -qE '^CapEff:\s+0000000000000000$' "$BATS_TEST_TMPDIR/out"
	grep -qE '^NoNewPrivs:\s+1$' "$BATS_TEST_TMPDIR/out"
	grep -qE '^Seccomp:\s+2$' "$BATS_TEST_TMPDIR/out"
	grep -qE '^ *31001 +31001 +1$' "$BATS_TEST_TMPDIR/out"
	[[ $(stat -c %u "$prefix/containers/31001/x") -eq 31001 ]]
	refute_leftovers "$prefix" /fief/31001
	# runc leaves the parent of the container's cgroups
	rmdir /sys/fs/cgroup/*/fief 2>/dev/null || true
}
