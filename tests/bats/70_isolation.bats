#!/usr/bin/env bats
# Customers on one server: what one container does to itself, it does to itself alone.
# timeout: 300

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/images
load ../lib/platform

one=31111
two=31112

setup_file()
{
	test_image debian-12 "$BATS_FILE_TMPDIR/p"
	platform_up "$BATS_FILE_TMPDIR/p"
	container_up "$one" one debian-12 '.pids = 60'
	container_up "$two" two debian-12
	site_up "$one" one.example
	site_up "$two" two.example
	wait_for 30 answers one.example "uid $one"
	wait_for 30 answers two.example "uid $two"
}

teardown_file()
{
	platform_down "$one" "$two" 31113
}

# id_line PID FIELD: the numbers of a line of /proc/PID/status.
id_line()
{
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status" 2>/dev/null
}

@test "no process of a container is host uid 0" {
	local pid count=0
	for pid in $(container_pids "$one"); do
		[[ " $(id_line "$pid" Uid | tr '\t' ' ') $(id_line "$pid" Gid | tr '\t' ' ') " != *" 0 "* ]]
		count=$((count + 1))
	done
	((count >= 4)) # init, Emperor, master, worker
}

@test "every process of the customer is uid U on the host and has no capability" {
	local pid count=0 uid
	inside "$one" sleep 1000 3>&- &
	wait_for 5 inside "$one" pgrep -x sleep
	for pid in $(container_pids "$one"); do
		uid=$(id_line "$pid" Uid | cut -f1)
		[[ $uid == "$one" ]] || {
			# init and Emperor: container root, an id of the container's own range
			((uid == 0x24000000 + (one - 30001) * 65536))
			[[ $(id_line "$pid" CapBnd) == 00000000000000e0 ]]
			continue
		}
		[[ $(id_line "$pid" Uid) == "$one	$one	$one	$one" ]]
		[[ $(id_line "$pid" Groups) =~ ^\ *($one)?\ *$ ]]
		[[ $(id_line "$pid" CapEff) == 0000000000000000 ]]
		[[ $(id_line "$pid" CapPrm) == 0000000000000000 ]]
		[[ $(id_line "$pid" CapInh) == 0000000000000000 ]]
		[[ $(id_line "$pid" CapAmb) == 0000000000000000 ]]
		[[ $(id_line "$pid" NoNewPrivs) == 1 ]]
		[[ $(id_line "$pid" Seccomp) == 2 ]]
		count=$((count + 1))
	done
	((count >= 3))
	inside "$one" pkill -x sleep
	wait
}

@test "two containers do not see each other's processes, files or sockets" {
	[[ -z $(inside "$one" ls "/containers/$two" 2>/dev/null) ]]
	[[ $(inside "$one" ls /containers) == "$one" ]]
	[[ $(inside "$one" ps -eo user= | tr -d ' ' | sort -u) == "$one" ]]
	inside "$two" bash -c 'exec -a marker sleep 1000' 3>&- &
	wait_for 5 inside "$two" pgrep -f marker
	run inside "$one" pgrep -f marker
	[[ -z $output ]]
	inside "$two" pkill -f marker
	wait
	# abstract sockets and TCP belong to the network namespace
	inside "$two" python3 -c '
import socket, time
s = socket.socket(socket.AF_UNIX); s.bind("\0fief-test"); s.listen()
t = socket.socket(); t.bind(("127.0.0.1", 8000)); t.listen()
open("/run/up", "w").close(); time.sleep(1000)' 3>&- &
	wait_for 5 test -e "$P/containers/$two/run/up"
	run inside "$one" python3 -c '
import socket
s = socket.socket(socket.AF_UNIX); print(s.connect_ex("\0fief-test"))
t = socket.socket(); print(t.connect_ex(("127.0.0.1", 8000)))'
	[[ ${lines[0]} == 111 && ${lines[1]} == 111 ]] # ECONNREFUSED
	inside "$two" pkill -f fief-test
	wait
	run inside "$one" cat "/proc/1/root/etc/passwd"
	[[ $status -ne 0 ]]
}

@test "the customer cannot make namespaces, mounts or devices" {
	run inside "$one" unshare -Ur true
	[[ $status -ne 0 ]]
	run inside "$one" unshare -m true
	[[ $status -ne 0 ]]
	run inside "$one" mount -t tmpfs none /tmp
	[[ $status -ne 0 ]]
	run inside "$one" mknod /tmp/null c 1 3
	[[ $status -ne 0 ]]
	run inside "$one" touch /usr/bin/x
	[[ $status -ne 0 ]]
	[[ $(inside "$one" sh -c 'sudo -n id 2>&1; su -c id 2>&1') != *uid=0* ]]
}

@test "sockets are of unix, IP and netlink, and nobody calls as another architecture" {
	run inside "$one" python3 -c '
import errno, socket
def refused(family):
    try:
        socket.socket(family, socket.SOCK_RAW, 0).close()
    except OSError as e:
        return e.errno == errno.ENOSYS
    return False
print([f for f in range(64) if not refused(f)])'
	[[ $output == "[1, 2, 10, 16]" ]] || fail "$output"
	# getpid of i386: mov eax, 20; int 0x80; ret
	run inside "$one" python3 -c '
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))())'
	[[ $status -eq $((128 + 31)) ]] || fail "$status $output" # SIGSYS
}

@test "more memory than the limit ends that process, is reported, and harms nobody else" {
	local before after
	before=$(shim_state "$two" .pid)
	run inside "$one" python3 -c 'b = bytearray(400 << 20); print(len(b))'
	[[ $status -eq 137 ]]
	reported()
	{
		[[ $(shim_state "$one" .oomKills) -ge 1 ]]
	}
	wait_for 10 reported
	wait_for 15 answers one.example "uid $one"
	answers two.example "uid $two"
	after=$(shim_state "$two" .pid)
	[[ $before == "$after" && $(shim_state "$two" .oomKills) == 0 ]]
}

@test "a fork bomb stops at the pids limit; the neighbour answers meanwhile and the site after" {
	inside "$one" python3 -c '
import os, time
while True:
    try:
        if os.fork() == 0:
            time.sleep(1000)
    except OSError:
        open("/run/full", "w").close()
        time.sleep(1000)' >/dev/null 2>&1 3>&- &
	wait_for 20 test -e "$P/containers/$one/run/full"
	(($(container_pids "$one" | wc -l) <= 60))
	answers two.example "uid $two"
	hit()
	{
		[[ $(shim_state "$one" .pidsLimitHits) -ge 1 ]]
	}
	wait_for 10 hit
	# the customer's processes, all of them, by the platform
	for pid in $(container_pids "$one"); do
		[[ $(id_line "$pid" Uid | cut -f1) != "$one" ]] || kill -KILL "$pid" 2>/dev/null || true
	done
	wait
	wait_for 40 answers one.example "uid $one"
}

@test "an i386 image runs: 32 bits, personality LINUX32" {
	test_image debian-12-i386 "$P"
	container_up 31113 small debian-12-i386
	run inside 31113 getconf LONG_BIT
	[[ $output == 32 ]]
	run inside 31113 uname -m
	[[ $output == i686 ]]
	run inside 31113 dpkg --print-architecture
	[[ $output == i386 ]]
	site_up 31113 small.example
	wait_for 30 answers small.example "uid 31113"
	container_down 31113
}

@test "/run/shm and /dev/shm are one tmpfs with its own limit" {
	inside "$one" sh -c 'echo text >/run/shm/a && grep -q text /dev/shm/a && rm /dev/shm/a'
	run inside "$one" sh -c 'df -B1 --output=size /dev/shm | tail -n 1'
	[[ $output -eq $((134217728 / 2)) ]]
	run inside "$one" dd if=/dev/zero of=/dev/shm/full bs=1M count=100
	[[ $status -ne 0 && $output == *"No space left"* ]]
	inside "$one" rm /dev/shm/full
	answers one.example "uid $one"
}

@test "a container that ends leaves nothing" {
	container_down "$one"
	refute_leftovers "$P/var/lib/fief/bundles/$one" "/fief/$one"
	answers two.example "uid $two"
}
