#!/usr/bin/env bats
# fief-image: import, list, show, verify, rm, and builds that are cut off.
# timeout: 420

# shellcheck disable=SC2154 # bg_pid is set by start_bg
bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/images

setup()
{
	prefix=$BATS_TEST_TMPDIR/prefix
	store=$(store_of "$prefix")
	image=(fief-image --prefix "$prefix")
	tars=$BATS_TEST_DIRNAME/../lib/tars.py
}

teardown()
{
	stop_all
}

# The store holds no image and no work in progress.
store_is_empty()
{
	[[ ! -d $store ]] || [[ -z $(ls -A "$store") ]] || fail "left in the store: $(ls -A "$store")"
}

# refuses KIND PART: the archive is refused in one line that holds PART, and nothing stays.
refuses()
{
	python3 "$tars" "$BATS_TEST_TMPDIR/$1.tar" "$1"
	run "${image[@]}" import "bad" "$BATS_TEST_TMPDIR/$1.tar"
	[[ $status -eq 1 ]] || fail "status $status: $output" || return
	assert_one_line || return
	[[ $output == *"$2"* ]] || fail "'$2' is not in: $output" || return
	store_is_empty
}

@test "a directory becomes an image with the mount points and a manifest" {
	tiny_tree "$BATS_TEST_TMPDIR/tree"
	"${image[@]}" import tiny "$BATS_TEST_TMPDIR/tree"
	for dir in .fief containers dev proc sys run tmp usr/local var/log var/tmp; do
		[[ -d $store/tiny/rootfs/$dir ]]
	done
	for file in hosts hostname resolv.conf passwd group; do
		[[ -f $store/tiny/rootfs/etc/$file ]]
	done
	"${image[@]}" show tiny | jq -e '.version == 1 and .name == "tiny" and .recipe == "import"
		and .architecture == "amd64" and .uwsgi == null and (.digest | test("^sha256:[0-9a-f]{64}$"))'
	"${image[@]}" list --json | jq -e 'length == 1 and .[0].name == "tiny"'
	[[ $("${image[@]}" list) == tiny* ]]
	"${image[@]}" verify tiny
}

@test "the same tree has the same digest, whatever the order and the times" {
	tiny_tree "$BATS_TEST_TMPDIR/tree"
	"${image[@]}" import one "$BATS_TEST_TMPDIR/tree"
	tar -C "$BATS_TEST_TMPDIR/tree" --mtime=@0 -cf "$BATS_TEST_TMPDIR/t.tar" etc bin
	"${image[@]}" import two "$BATS_TEST_TMPDIR/t.tar"
	[[ $("${image[@]}" show one | jq -r .digest) == $("${image[@]}" show two | jq -r .digest) ]]
}

@test "the digest is what its description says" {
	python3 "$tars" "$BATS_TEST_TMPDIR/t.tar" good
	"${image[@]}" import good "$BATS_TEST_TMPDIR/t.tar"
	digest=$(python3 "$BATS_TEST_DIRNAME/../lib/digest.py" "$store/good/rootfs")
	[[ $("${image[@]}" show good | jq -r .digest) == "$digest" ]]
}

@test "archives by gzip, xz and zstd and from standard input are taken" {
	python3 "$tars" "$BATS_TEST_TMPDIR/t.tar" good
	gzip -k "$BATS_TEST_TMPDIR/t.tar"
	xz -k -0 "$BATS_TEST_TMPDIR/t.tar"
	zstd -q "$BATS_TEST_TMPDIR/t.tar"
	for kind in gz xz zst; do
		"${image[@]}" import "by-$kind" "$BATS_TEST_TMPDIR/t.tar.$kind"
	done
	"${image[@]}" import by-stdin - <"$BATS_TEST_TMPDIR/t.tar"
	[[ $("${image[@]}" list --json | jq -r '.[].digest' | sort -u | wc -l) -eq 1 ]]
}

@test "owners, modes, links and names of an archive are kept" {
	python3 "$tars" "$BATS_TEST_TMPDIR/t.tar" good
	"${image[@]}" import good "$BATS_TEST_TMPDIR/t.tar"
	[[ $(stat -c '%u:%g %a' "$store/good/rootfs/home/file") == "1000:100 640" ]]
	[[ $store/good/rootfs/home/file -ef $store/good/rootfs/home/again ]]
	[[ $(stat -c %a "$store/good/rootfs/usr/bin/su") == 4755 ]]
	[[ $(readlink "$store/good/rootfs/etc/motd") == /run/motd ]]
	[[ -f $store/good/rootfs/café ]]
	# a mount point is a file, also where the distribution has a link
	[[ -f $store/good/rootfs/etc/resolv.conf && ! -L $store/good/rootfs/etc/resolv.conf ]]
}

@test "nobody but root passes to the setuid programs of an image" {
	python3 "$tars" "$BATS_TEST_TMPDIR/t.tar" good
	"${image[@]}" import good "$BATS_TEST_TMPDIR/t.tar"
	pass_to "$store"
	run setpriv --reuid 65534 --regid 65534 --clear-groups cat "$store/good/rootfs/home/file"
	[[ $status -ne 0 ]]
	run setpriv --reuid 65534 --regid 65534 --clear-groups ls "$store/good/rootfs"
	[[ $status -ne 0 ]]
}

@test "paths that leave the tree are refused by name" {
	refuses absolute "/tmp/fief-test-escape"
	[[ ! -e /tmp/fief-test-escape ]]
	refuses dotdot "'..'"
	refuses symlink "a symbolic link is in the way"
	refuses symlink-mountpoint "symbolic link"
	[[ -z $(find "$BATS_TEST_TMPDIR" -name escape) ]]
}

@test "a file does not go through the link that it replaces" {
	python3 "$tars" "$BATS_TEST_TMPDIR/t.tar" symlink-file
	"${image[@]}" import replaced "$BATS_TEST_TMPDIR/t.tar"
	[[ -f $store/replaced/rootfs/out && ! -L $store/replaced/rootfs/out ]]
	[[ -z $(find "$BATS_TEST_TMPDIR" -name escape) ]]
}

@test "hard links out of the tree, and through or to links, are refused" {
	refuses hardlink "'..'"
	refuses hardlink-absolute "is absolute"
	refuses hardlink-symlink "no file of the archive"
	refuses hardlink-through "a symbolic link is in the way"
	[[ $(stat -c %h /etc/passwd) -eq 1 ]]
}

@test "device nodes and FIFOs are left out" {
	python3 "$tars" "$BATS_TEST_TMPDIR/t.tar" devices
	run "${image[@]}" import devices "$BATS_TEST_TMPDIR/t.tar"
	[[ $status -eq 0 && $output == *"4 device nodes"* ]]
	[[ -z $(find "$store/devices/rootfs" -type b -o -type c -o -type p) ]]
}

@test "owners beyond the container's ids, and absurd depth, are refused" {
	refuses owner "70000"
	refuses deep "too deep"
}

@test "entries and bytes are limited" {
	python3 "$tars" "$BATS_TEST_TMPDIR/many.tar" many
	python3 "$tars" "$BATS_TEST_TMPDIR/big.tar" big
	run "${image[@]}" import bad "$BATS_TEST_TMPDIR/many.tar" --max-entries 100
	[[ $status -eq 1 && $output == *"more than 100 entries"* ]]
	run "${image[@]}" import bad "$BATS_TEST_TMPDIR/big.tar" --max-mib 2
	[[ $status -eq 1 && $output == *"more than 2097152 bytes"* ]]
	# a hole costs nothing in the archive, but whoever reads the image reads it
	tiny_tree "$BATS_TEST_TMPDIR/holes"
	truncate -s 1T "$BATS_TEST_TMPDIR/holes/big"
	tar --sparse -C "$BATS_TEST_TMPDIR/holes" -cf "$BATS_TEST_TMPDIR/holes.tar" .
	run timeout -s KILL 20 "${image[@]}" import bad "$BATS_TEST_TMPDIR/holes.tar"
	[[ $status -eq 1 && $output == *"'./big': more than"*"bytes in all"* ]]
	run timeout -s KILL 20 "${image[@]}" import bad "$BATS_TEST_TMPDIR/holes"
	[[ $status -eq 1 && $output == *"'./big': more than"*"bytes in all"* ]]
	store_is_empty
}

@test "what is no archive, a cut one, a tree without programs are refused in one line" {
	echo "no archive" >"$BATS_TEST_TMPDIR/text"
	python3 "$tars" "$BATS_TEST_TMPDIR/t.tar" good
	head -c 100000 "$BATS_TEST_TMPDIR/t.tar" >"$BATS_TEST_TMPDIR/cut.tar"
	mkdir "$BATS_TEST_TMPDIR/empty" "$BATS_TEST_TMPDIR/bare"
	touch "$BATS_TEST_TMPDIR/bare/file"
	for from in text cut.tar empty bare missing; do
		run "${image[@]}" import bad "$BATS_TEST_TMPDIR/$from"
		[[ $status -eq 1 ]] || fail "$from: status $status"
		assert_one_line
		[[ $output == *"$from"* ]]
		store_is_empty
	done
}

@test "a name that is none, or taken, is refused" {
	tiny_tree "$BATS_TEST_TMPDIR/tree"
	for name in .hidden -x Upper a/b ../x "$(printf 'a%.0s' {1..64})"; do
		run "${image[@]}" import -- "$name" "$BATS_TEST_TMPDIR/tree"
		[[ $status -eq 1 && $output == *"is not an image name"* ]] || fail "$name: $output"
	done
	"${image[@]}" import tiny "$BATS_TEST_TMPDIR/tree" --quiet
	run "${image[@]}" import tiny "$BATS_TEST_TMPDIR/tree"
	[[ $status -eq 1 && $output == *"exists already"* ]]
	"${image[@]}" verify tiny
}

@test "verify sees a changed byte, mode, owner, name and link" {
	tiny_tree "$BATS_TEST_TMPDIR/tree"
	"${image[@]}" import tiny "$BATS_TEST_TMPDIR/tree"
	root=$store/tiny/rootfs
	changes=("printf X | dd of=$root/bin/busybox bs=1 seek=1000 conv=notrunc status=none"
		"chmod 0700 $root/bin/busybox" "chown 5:5 $root/bin/busybox"
		"mv $root/bin/busybox $root/bin/busybux" "ln -sfn busybux $root/bin/sh"
		"touch $root/new" "mknod $root/null c 1 3")
	for change in "${changes[@]}"; do
		cp -a "$store/tiny" "$BATS_TEST_TMPDIR/kept"
		bash -c "$change"
		run "${image[@]}" verify tiny
		[[ $status -eq 1 ]] || fail "not seen: $change"
		assert_one_line
		[[ $output == *"was changed"* ]]
		rm -rf "$store/tiny"
		mv "$BATS_TEST_TMPDIR/kept" "$store/tiny"
	done
	"${image[@]}" verify tiny
}

@test "an image that a record names is removed by force only" {
	tiny_tree "$BATS_TEST_TMPDIR/tree"
	"${image[@]}" import tiny "$BATS_TEST_TMPDIR/tree"
	mkdir -p "$prefix/var/lib/fief/containers"
	echo '{"image": "tiny"}' >"$prefix/var/lib/fief/containers/31001.json"
	run "${image[@]}" rm tiny
	[[ $status -eq 1 && $output == *"used by container '31001'"* ]]
	"${image[@]}" rm --force tiny
	store_is_empty
	run "${image[@]}" rm tiny
	[[ $status -eq 1 && $output == *"no image 'tiny'"* ]]
}

@test "a broken manifest is named with the member, and the others are listed" {
	tiny_tree "$BATS_TEST_TMPDIR/tree"
	"${image[@]}" import one "$BATS_TEST_TMPDIR/tree"
	"${image[@]}" import two "$BATS_TEST_TMPDIR/tree"
	sed -i 's/"amd64"/"vax"/' "$store/one/manifest.json"
	run --separate-stderr "${image[@]}" list
	# shellcheck disable=SC2154 # set by run
	[[ $status -eq 1 && $output == two* && $stderr == *.architecture* ]]
}

@test "a killed import leaves nothing that looks whole, and the next one sweeps" {
	tiny_tree "$BATS_TEST_TMPDIR/tree"
	tar -C "$BATS_TEST_TMPDIR/tree" -cf "$BATS_TEST_TMPDIR/t.tar" .
	half=$(($(stat -c %s "$BATS_TEST_TMPDIR/t.tar") / 2))
	start_bg import bash -c "exec fief-image --prefix '$prefix' import cut - < <(
		head -c $half '$BATS_TEST_TMPDIR/t.tar'; exec sleep 60)"
	wait_for 10 bash -c "ls '$store'/.cut.partial.*/rootfs/bin"
	kill -KILL "$bg_pid"
	wait_for 5 bg_ended import
	[[ $("${image[@]}" list --json | jq length) -eq 0 ]]
	run "${image[@]}" show cut
	[[ $status -eq 1 ]]
	"${image[@]}" import other "$BATS_TEST_TMPDIR/tree"
	[[ $(ls -A "$store") == other ]]
}

@test "an import that is asked to stop leaves nothing" {
	tiny_tree "$BATS_TEST_TMPDIR/tree"
	for n in {1..3000}; do
		echo "$n" >"$BATS_TEST_TMPDIR/tree/$n"
	done
	start_bg import fief-image --prefix "$prefix" import cut "$BATS_TEST_TMPDIR/tree"
	wait_for 10 bash -c "ls '$store'/.cut.partial.*/rootfs"
	kill -TERM "$bg_pid"
	wait_for 10 bg_ended import
	grep -q interrupted "$BATS_TEST_TMPDIR/import.log"
	store_is_empty
}

# build_until FILE: a build of debian-12 in the background, until FILE is in its tree.
build_until()
{
	start_bg build fief-image --prefix "$prefix" build debian-12
	wait_for 60 bash -c "ls '$store'/.debian-12.partial.*/rootfs/$1"
}

@test "a build that is killed at any moment leaves no image, process or mount" {
	for moment in . var/lib/apt/lists/lock usr/bin/dpkg var/lib/dpkg/info/libc6:amd64.list; do
		build_until "$moment"
		kill -KILL "$bg_pid"
		wait_for 5 bg_ended build
		[[ $("${image[@]}" list --json | jq length) -eq 0 ]]
		wait_for 5 refute_leftovers "$store"
	done
	# the last one's leftover is swept by whatever comes next
	tiny_tree "$BATS_TEST_TMPDIR/tree"
	"${image[@]}" import tiny "$BATS_TEST_TMPDIR/tree"
	[[ $(ls -A "$store") == tiny ]]
}

@test "a build that is asked to stop cleans up after itself" {
	build_until usr/bin/dpkg
	kill -TERM "$bg_pid"
	wait_for 20 bg_ended build
	grep -q interrupted "$BATS_TEST_TMPDIR/build.log"
	store_is_empty
	refute_leftovers "$store"
}

@test "a build names the list that cannot be downloaded" {
	mkdir -p "$BATS_TEST_TMPDIR/etc/apt/sources.list.d"
	echo 'deb http://127.0.0.1:9/debian bookworm main' >"$BATS_TEST_TMPDIR/etc/apt/sources.list"
	run "${image[@]}" build debian-12 --etc "$BATS_TEST_TMPDIR/etc" --quiet
	[[ $status -eq 1 && $output == *"http://127.0.0.1:9/debian"* ]] || fail "$output"
	assert_one_line
	store_is_empty
}

@test "unknown recipes and architectures are refused" {
	run "${image[@]}" build debian-99
	[[ $status -eq 1 && $output == *"no recipe 'debian-99'"* ]]
	run "${image[@]}" build debian-12 --arch vax
	[[ $status -eq 1 && $output == *"vax"* ]]
	store_is_empty
}

@test "debian-12 has what a customer needs, and nothing of this machine" {
	test_image debian-12 "$prefix"
	"${image[@]}" verify debian-12
	"${image[@]}" show debian-12 | jq -e '.architecture == "amd64" and .recipe == "debian-12"
		and .uwsgi == "/usr/bin/uwsgi-core"'
	root=$store/debian-12/rootfs
	for file in usr/bin/python3 usr/bin/perl usr/bin/uwsgi-core usr/lib/uwsgi/plugins/python3_plugin.so \
		usr/lib/uwsgi/plugins/psgi_plugin.so usr/lib/openssh/sftp-server usr/sbin/nullmailer-send \
		bin/bash bin/ps usr/bin/less usr/bin/vim.tiny etc/ssl/certs/ca-certificates.crt; do
		[[ -e $root/$file ]] || fail "missing: $file"
	done
	for file in hostname resolv.conf hosts machine-id; do
		[[ ! -s $root/etc/$file ]] || fail "not empty: $file"
	done
	[[ -z $(ls -A "$root/dev") && -z $(ls -A "$root/var/lib/apt/lists") && -z $(ls -A "$root/var/log") ]]
	run grep -rslxF "$(hostname)" "$root/etc"
	[[ -z $output ]] || fail "names this machine: $output"
}

@test "debian-12 for i386 is told apart" {
	test_image debian-12-i386 "$prefix"
	"${image[@]}" show debian-12-i386 | jq -e '.architecture == "i386"
		and .uwsgi == "/usr/bin/uwsgi-core"'
	[[ $(chroot "$store/debian-12-i386/rootfs" getconf LONG_BIT) == 32 ]]
}
