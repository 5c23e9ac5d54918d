#!/usr/bin/env bats
# fief-shim prepare and release: what is mounted where, and homes that are traps. Everything is
# mounted in a mount namespace of the test's own.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/handmade

uid=45201
base=$((0x24000000 + (uid - 30001) * 65536))

setup()
{
	prefix=$BATS_TEST_TMPDIR/prefix
	home=$prefix/containers/$uid
	image=$prefix/var/lib/fief/images/tiny/rootfs
	mkdir -p "$image"/{bin,etc}
	cp /bin/busybox "$image/bin/busybox"
	ln -s busybox "$image/bin/sh"
	bundle=$(handmade_bundle "$prefix" "$uid" tiny)
	sentinel=$BATS_TEST_TMPDIR/sentinel
	mkdir -p "$sentinel/dir"
	echo secret >"$sentinel/file"
	echo secret >"$sentinel/dir/file"
	export prefix home bundle sentinel uid
	export -f prepare release mounted refused private_script
}

teardown()
{
	stop_all
}

prepare()
{
	fief-shim prepare "$bundle" --prefix "$prefix"
}

release()
{
	fief-shim release "$bundle"
}

# What is mounted below the bundle, one path a line.
mounted()
{
	awk -v at="$bundle/" 'index($5, at) == 1 { print substr($5, length(at) + 1) }' \
		/proc/self/mountinfo
}

# refused CMD...: it must fail. bash -e does not look at what follows a "!".
refused()
{
	if "$@" 2>"$prefix/err"; then
		echo "not refused: $*" >&2
		return 1
	fi
}

private_script()
{
	private_mounts bash -eu -o pipefail -c "$1"
}

# A digest of everything that could have been touched of the sentinel.
sentinel_digest()
{
	find "$sentinel" -printf '%P %y %m %U %G %s %T@\n' -type f -exec sha256sum {} + | sort | sha256sum
}

@test "prepare fills rootfs and mnt, release empties them" {
	private_script '
		prepare
		[[ $(mounted | sort | tr "\n" " ") == "mnt/containers mnt/containers/45201 mnt/fief \
mnt/fief/fief-init mnt/fief/log mnt/fief/shortcuts.ini "*"mnt/home mnt/hosts mnt/logs mnt/netns \
mnt/resolv.conf mnt/run mnt/run/shm mnt/run/subscribe mnt/shm mnt/sys mnt/tmp rootfs " ]]
		[[ -x $bundle/mnt/fief/fief-init && -d $bundle/mnt/fief/run ]]
		echo x >"$home/tmp/x"
		[[ $(cat "$bundle/mnt/tmp/x") == x ]]
		echo y >"$bundle/mnt/shm/y"
		[[ $(cat "$bundle/mnt/run/shm/y") == y ]]
		release
		[[ -z $(mounted) ]]
		[[ ! -e $home/run/shm/y ]]'
}

@test "a prepared bundle is refused, a released one may be released again" {
	private_script '
		release
		prepare
		before=$(mounted)
		refused prepare
		grep -q "is prepared already" "$prefix/err"
		[[ $(mounted) == "$before" ]]
		release
		release
		[[ -z $(mounted) ]]
		prepare'
}

@test "release takes off what lies in layers" {
	private_script '
		prepare
		mount --bind "$sentinel/dir" "$bundle/rootfs"
		mount --bind "$sentinel/dir" "$bundle/mnt/run"
		release
		[[ -z $(mounted) ]]'
	[[ $(cat "$sentinel/dir/file") == secret ]]
}

@test "the image is read-only, nosuid, nodev and belongs to the container's ids" {
	chmod 4755 "$image/bin/busybox"
	touch "$image/etc/own" && chown "$uid:$uid" "$image/etc/own"
	private_script "
		prepare
		[[ \$(stat -c '%u:%g' \"\$bundle/rootfs/bin/busybox\") == $base:$base ]]
		[[ \$(stat -c '%u:%g' \"\$bundle/rootfs/etc/own\") == $uid:$uid ]]
		awk -v at=\"\$bundle/rootfs\" '\$5 == at { print \$6 }' /proc/self/mountinfo |
			grep -E '^ro,nosuid,nodev.*idmapped'
		refused touch \"\$bundle/rootfs/x\""
}

@test "a home is made for U, with its parts and seeds, and kept as it is later" {
	private_script 'prepare'
	[[ $(stat -c '%a %u %g' "$prefix/containers") == "711 0 0" ]]
	[[ $(stat -c '%a %u %g' "$home") == "711 $uid $uid" ]]
	for part in run run/shm run/subscribe tmp logs etc vassals; do
		[[ $(stat -c '%F %u %g' "$home/$part") == "directory $uid $uid" ]]
	done
	for part in hosts resolv.conf hostname; do
		[[ $(stat -c '%a %u %g' "$home/etc/$part") == "644 $uid $uid" ]]
		cmp "$home/etc/$part" "$bundle/seed/$part"
	done
	echo mine >"$home/etc/hosts"
	chmod 700 "$home"
	private_script 'prepare; [[ $(cat "$bundle/mnt/hosts") == mine ]]'
	[[ $(stat -c %a "$home") == 700 ]]
}

@test "a home of somebody else is refused" {
	mkdir -p "$home"
	chmod 711 "$prefix/containers"
	chown 45202:45202 "$home"
	run private_script 'prepare'
	[[ $status -eq 1 && $output == *"belongs to uid 45202"* ]]
}

@test "the network namespace has lo up and no privileged ports, and sysfs shows it" {
	private_script '
		prepare
		[[ $(ls "$bundle/mnt/sys/class/net") == lo ]]
		[[ $(($(cat "$bundle/mnt/sys/class/net/lo/flags") & 1)) == 1 ]]
		[[ $(nsenter --net="$bundle/mnt/netns" \
			cat /proc/sys/net/ipv4/ip_unprivileged_port_start) == 0 ]]
		[[ $(readlink /proc/self/ns/net) != "$(nsenter --net="$bundle/mnt/netns" \
			readlink /proc/self/ns/net)" ]]
		refused touch "$bundle/mnt/sys/x"'
}

@test "a network namespace of the record is used and no other is made" {
	jq --arg ns "$prefix/netns" '.netns = $ns' "$bundle/fief.json" >"$prefix/f"
	cp "$prefix/f" "$bundle/fief.json"
	private_script '
		touch "$prefix/netns"
		unshare --net="$prefix/netns" true
		prepare
		[[ $(mounted) != *mnt/netns* ]]
		[[ $(ls "$bundle/mnt/sys/class/net") == lo ]]
		[[ $(($(cat "$bundle/mnt/sys/class/net/lo/flags") & 1)) == 0 ]]
		umount "$prefix/netns"'
	run private_script 'prepare'
	[[ $status -eq 1 && $output == *"'$prefix/netns' is not a network namespace"* ]]
}

@test "what the customer mounts its run directory with is not seen in the home" {
	private_script '
		mount --make-rshared /
		prepare
		[[ $(ls -A "$home/run/shm") == "" ]]
		[[ $(awk "{ print \$5 }" /proc/self/mountinfo) != *"$home/"* ]]
		release
		[[ -z $(mounted) ]]'
}

@test "a symbolic link instead of a part is refused by name and nothing is touched" {
	private_script 'prepare'
	before=$(sentinel_digest)
	for part in run run/shm run/subscribe tmp logs etc vassals etc/hosts etc/resolv.conf etc/hostname; do
		for target in "$sentinel/dir" "$sentinel/file" "$sentinel/missing" . ..; do
			mv "$home/$part" "$home/.kept"
			ln -s "$target" "$home/$part"
			run private_script 'prepare; mounted; exit 9'
			rm "$home/$part"
			mv "$home/.kept" "$home/$part"
			[[ $status -eq 1 ]] || fail "$part -> $target: status $status: $output"
			assert_one_line
			[[ $output == *"'$part'"* ]] || fail "$part -> $target: $output"
			run -0 private_script 'prepare 2>/dev/null || true; release; mounted'
			[[ -z $output ]]
		done
	done
	[[ $(sentinel_digest) == "$before" ]]
}

@test "a refused preparation leaves nothing mounted" {
	private_script 'prepare'
	rmdir "$home/logs"
	ln -s "$sentinel/dir" "$home/logs"
	private_script 'refused prepare; [[ -z $(mounted) ]]'
	rm "$home/logs"
	# late in the steps: the image is mounted by then
	mv "$prefix/run/fief/subscribe" "$prefix/run/fief/gone"
	touch "$prefix/run/fief/subscribe"
	private_script 'refused prepare; [[ -z $(mounted) ]]'
}

@test "a part of another type is refused by name" {
	private_script 'prepare'
	rm "$home/etc/hosts"
	mkfifo "$home/etc/hosts"
	run private_script 'prepare'
	[[ $status -eq 1 && $output == *"'etc/hosts': 'hosts' is not a regular file"* ]]
	rm "$home/etc/hosts"
	mkdir "$home/etc/hosts"
	run private_script 'prepare'
	[[ $status -eq 1 && $output == *"'hosts' is not a regular file"* ]]
	rmdir "$home/etc/hosts" "$home/tmp"
	touch "$home/tmp"
	run private_script 'prepare'
	[[ $status -eq 1 && $output == *"'tmp' is not a directory"* ]]
}

@test "parts that are swapped for links during prepare never reach the host" {
	private_script 'prepare'
	before=$(sentinel_digest)
	chmod o+x "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" "$prefix"
	start_bg swapper python3 "$BATS_TEST_DIRNAME/../lib/swap_links.py" "$uid" "$home" "$sentinel"
	wait_for 5 grep -q swapping "$BATS_TEST_TMPDIR/swapper.log"
	private_script '
		good=0 bad=0
		for _ in $(seq 150); do
			if prepare 2>>"$prefix/err"; then
				good=$((good + 1))
			else
				bad=$((bad + 1))
				[[ -z $(mounted) ]]
			fi
			if grep -F "$sentinel" /proc/self/mountinfo; then
				exit 1
			fi
			release
		done
		echo "$good $bad" >"$prefix/counts"
		[[ -z $(mounted) ]]'
	stop_bg swapper
	read -r good bad <"$prefix/counts"
	echo "prepared $good times, refused $bad times"
	((bad > 0))
	[[ $(sentinel_digest) == "$before" ]]
	refute_leftovers "$bundle"
}

# refuses JQ PART: fief.json changed by JQ is refused in one line that holds PART.
refuses()
{
	jq "$1" "$bundle/fief.json" >"$prefix/f"
	cp "$bundle/fief.json" "$prefix/good"
	cp "$prefix/f" "$bundle/fief.json"
	run private_script 'prepare'
	cp "$prefix/good" "$bundle/fief.json"
	[[ $status -eq 1 ]] || fail "$1: status $status: $output" || return
	assert_one_line || return
	[[ $output == *"$2"* ]] || fail "$1: '$2' is not in: $output"
}

@test "a bad fief.json is refused in one line that names the member" {
	refuses '.version = 2' .version
	refuses 'del(.uid)' uid
	refuses '.uid = 0' .uid
	refuses '.uid = 49457' .uid
	refuses '.uid = "45201"' .uid
	refuses '.idBase = 0' .idBase
	refuses '.extra = 1' extra
	refuses '.image.name = "../x"' .image.name
	refuses '.image.uwsgi = "uwsgi"' .image.uwsgi
	refuses '.shmSize = 0' .shmSize
	refuses '.shmSize = 1e30' .shmSize
	refuses '.restart = "perhaps"' .restart
	refuses '.log.size = 1' .log.size
	refuses '.image.name = "missing"' "image 'missing'"
	printf '{"version": 1,' >"$bundle/fief.json"
	run private_script 'prepare'
	[[ $status -eq 1 ]]
	assert_one_line
	rm "$bundle/fief.json"
	run private_script 'prepare'
	[[ $status -eq 1 && $output == *"fief.json"* ]]
	run fief-shim prepare "$prefix/missing"
	[[ $status -eq 1 && $output == *"$prefix/missing"* ]]
}

@test "a bundle that is not root's alone is refused" {
	chown "$uid" "$bundle"
	run private_script 'prepare'
	[[ $status -eq 1 && $output == *"must belong to root"* ]]
	chown 0 "$bundle"
	chmod 777 "$bundle"
	run private_script 'prepare'
	[[ $status -eq 1 && $output == *"must belong to root"* ]]
}

@test "wrong usage is told with status 2" {
	run fief-shim
	[[ $status -eq 2 ]]
	run fief-shim fly
	[[ $status -eq 2 ]]
	run fief-shim prepare
	[[ $status -eq 2 ]]
	run fief-shim prepare a b
	[[ $status -eq 2 ]]
	run fief-shim release --no-such
	[[ $status -eq 2 ]]
	fief-shim --help
	fief-shim prepare --help
}
