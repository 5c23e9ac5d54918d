#!/usr/bin/env bats
# quickstart on a machine that systemd runs: what it leaves is what was there. ./check vm/30_quickstart

bats_require_minimum_version 1.5.0
load ../../lib/common
load ../../lib/images

root=$BATS_TEST_DIRNAME/../../..
uid=30001

setup_file()
{
	[[ -n ${FIEF_VM:-} ]] || fail "runs in the machine only: ./check vm/30_quickstart" || return
	# in place of the half minute that building the image takes on a fast machine
	mkdir -p /var/lib/fief/images
	mount --bind "$(store_of "$FIEF_TEST_IMAGES")" /var/lib/fief/images
	chmod 0711 /var/lib/fief/images
	systemctl is-system-running --wait
	# of the files that ran before
	[[ ! -d /sys/fs/cgroup/fief ]] || rmdir /sys/fs/cgroup/fief
	inventory >"$BATS_FILE_TMPDIR/before"
}

teardown_file()
{
	"$root/quickstart" down
	umount /var/lib/fief/images
}

# Units, cgroups (but those that systemd makes and drops by itself), mounts, interfaces, sockets and
# processes that are not the kernel's.
inventory()
{
	systemctl list-units --failed --no-legend --plain
	find /sys/fs/cgroup -type d | grep -vE '\.(scope|service|slice)(/|$)' | sort
	awk '{ print $5 }' /proc/self/mountinfo | sort
	ip -o link | awk '{ print $2 }'
	ss -Hlntu | awk '{ print $5 }' | sort
	ps -eo ppid=,uid=,comm= | awk '$1 != 2 && ($2 >= 30000 || /uwsgi|fief/) { print $2, $3 }' | sort
}

@test "quickstart ends with the site's answer" {
	run "$root/quickstart"
	echo "$output"
	[[ $status -eq 0 && $output == *"uid $uid"* ]]
	[[ $(cat /sys/fs/cgroup/fief/$uid/memory.max) == 268435456 ]]
	[[ $(systemctl is-system-running) == running ]]
}

@test "down leaves systemd running and nothing behind" {
	run "$root/quickstart" down
	[[ $status -eq 0 ]]
	[[ $(systemctl is-system-running) == running ]]
	diff <(inventory) "$BATS_FILE_TMPDIR/before"
}
