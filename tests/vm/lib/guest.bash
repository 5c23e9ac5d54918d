# shellcheck disable=SC2154 # of base.bash
# The way into the guest: ssh over one connection, files by tar through a disk.

ssh_options()
{
	options=(-q -i "$instance/key" -p "$(cat "$instance/port")" -o BatchMode=yes
		-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR
		-o ConnectTimeout=30 -o ServerAliveInterval=30 -o ServerAliveCountMax=6
		-o ControlPath="$instance/ssh" -F none)
}

guest_ssh()
{
	local options
	ssh_options
	timeout -k 5 "${ssh_limit:-600}" ssh "${options[@]}" -o ControlMaster=no root@127.0.0.1 "$@"
}

# Puts itself into the background once it is through; its output would keep pipes of ours open.
try_ssh()
{
	local options
	machine_pid >/dev/null || die "qemu has ended: $(last_line "$instance/qemu.log") $(
		last_line "$instance/console")"
	ssh_options
	timeout 60 ssh "${options[@]}" -fNM root@127.0.0.1 >/dev/null 2>&1 </dev/null {state_lock}>&-
}

# ssh_open SECONDS: waits for the guest's ssh.
ssh_open()
{
	poll "$1" try_ssh || die "no ssh after $1 seconds, console: '$(last_line "$instance/console")'"
}

ssh_close()
{
	[[ -S $instance/ssh ]] || return 0
	ssh -q -F none -o ControlPath="$instance/ssh" -O exit root@127.0.0.1 2>/dev/null
	rm -f "$instance/ssh"
}

# guest_run SECONDS COMMANDLINE: its status; 124 when it takes longer, 255 when the connection is lost.
guest_run()
{
	local seconds=$1 line ssh_limit=$(($1 + 60))
	line=$(printf %q "$2")
	guest_ssh "exec timeout -k 10 $seconds bash -lc $line"
}

lock_transfer()
{
	exec {transfer_lock}>"$instance/transfer.lock"
	flock -w 300 "$transfer_lock" || die "the transfer of another has lasted five minutes"
}

# guest_put DIR GUESTDIR [TAROPTION...]: what is in DIR. By a disk that the guest reads past its cache:
# three times as fast as ssh, whose ciphers TCG does by software.
guest_put()
{
	local from=$1 to size
	to=$(printf %q "$2")
	shift 2
	lock_transfer
	# nanoseconds, for ninja; the names of this machine's users mean nothing there
	tar -C "$from" --format=posix --pax-option=delete=atime,delete=ctime --numeric-owner "$@" \
		-cf "$instance/tar" . || die "cannot pack '$from'"
	size=$(($(stat -c %s "$instance/tar") / 1048576 + 1))
	((size < 4096)) || die "'$from' is larger than 4 GiB"
	truncate -s ${size}M "$instance/tar"
	cat "$instance/tar" 1<>"$instance/transfer"
	rm -f "$instance/tar"
	guest_ssh "mkdir -p $to && dd if=/dev/vdb iflag=direct bs=1M count=$size status=none |
		tar --warning=no-timestamp --numeric-owner -xpf - -C $to" ||
		die "cannot put '$from' into the guest"
}

# guest_get GUESTPATH DIR: the file or directory GUESTPATH into DIR.
guest_get()
{
	local parent name
	parent=$(printf %q "$(dirname "$1")")
	name=$(printf %q "$(basename "$1")")
	lock_transfer
	guest_ssh "set -o pipefail; tar -C $parent -cf - $name |
		dd of=/dev/vdb oflag=direct bs=1M iflag=fullblock conv=sync status=none" ||
		die "cannot get '$1' from the guest"
	tar -C "$2" --no-same-owner -xf "$instance/transfer" || die "cannot unpack '$1' into '$2'"
}
