# shellcheck disable=SC2154 # of base.bash and image.bash
# A qemu process: how it is started, found again and ended. Its directory is $instance.

# No AVX and no 5-level page tables, which TCG does slowly; the rest is what Debian's baseline needs
# and Python and OpenSSL ask for.
cpu=qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand

# The clock: TCG's TSC is steady, but Linux would not trust it and ask the HPET, which is far slower.
# Mitigations cost time and protect nobody here.
kernel_line="console=ttyS0 root=/dev/vda ro quiet panic=-1 systemd.show_status=0
	systemd.unified_cgroup_hierarchy=1 mitigations=off nokaslr norandmaps init_on_alloc=0
	tsc=reliable clocksource=tsc hpet=disable no_timer_check nowatchdog"

machine_key()
{
	echo "$(image_key) $vm_cpus $vm_memory $(qemu-system-x86_64 --version | head -n 1)" |
		hash_of "$vm_home/lib/machine.bash" "$vm_home/lib/template.bash" \
			"$vm_home/lib/qmp.py" "$vm_home/guest/warm"
}

# The process is ours only while it is a qemu with our monitor: a pid alone may be used again.
machine_pid()
{
	local pid
	pid=$(cat "$instance/pid" 2>/dev/null) || return 1
	[[ -n $pid ]] && tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" |
		grep -qF "unix:$instance/qmp," && echo "$pid"
}

machine_down()
{
	! machine_pid >/dev/null
}

qmp()
{
	timeout 90 "$vm_home/lib/qmp.py" "$instance/qmp" "$@"
}

# machine_start DISK TREE RAM SHARE [ARGUMENT...]: /dev/vda, /dev/vdb for put and get, /dev/vdc with a tree.
# SHARE is on while the template is made, off for a clone: its writes stay its own.
machine_start()
{
	local disk=$1 tree=$2 ram=$3 share=$4 image restrict=on
	image=$(image_path)
	shift 4
	[[ ${FIEF_VM_NET:-} != open ]] || restrict=off
	truncate -s 4G "$instance/transfer"
	# its own, so that an edit of what the key of the image is made from does not lock us out
	cp "$image/key" "$instance/key"
	# setsid: Ctrl-C ends the command, which then ends the machine in order. timeout: whatever happens
	# to us, it does not outlive its time. Descriptors of locks are not for it.
	setsid timeout -k 10 "$vm_life" qemu-system-x86_64 -nodefaults -no-user-config -display none \
		-M q35,memory-backend=ram -accel tcg,thread=multi -cpu "$cpu" -smp "$vm_cpus" \
		-m "$vm_memory" \
		-object "memory-backend-file,id=ram,size=${vm_memory}M,mem-path=$ram,share=$share" \
		-kernel "$image/vmlinuz" -initrd "$image/initrd" -append "${kernel_line//$'\n\t'/ }" \
		-drive "if=none,id=root,file=$disk,format=qcow2,cache=unsafe" \
		-device virtio-blk-pci,drive=root \
		-drive "if=none,id=transfer,file=$instance/transfer,format=raw,cache=unsafe,file.locking=off" \
		-device virtio-blk-pci,drive=transfer \
		-drive "if=none,id=tree,file=$tree,format=qcow2,cache=unsafe" \
		-device virtio-blk-pci,drive=tree \
		-netdev "user,id=net,restrict=$restrict,hostfwd=tcp:127.0.0.1:0-:22" \
		-device virtio-net-pci,romfile=,netdev=net -device virtio-rng-pci \
		-serial "file:$instance/console" -pidfile "$instance/pid" \
		-qmp "unix:$instance/qmp,server=on,wait=off" "$@" \
		</dev/null >"$instance/qemu.log" 2>&1 {state_lock}>&- &
	poll 20 qemu_ready $! || die "qemu does not start: $(last_line "$instance/qemu.log")"
	qmp port >"$instance/port" || die "cannot find the guest's port"
}

# True also when it has died, so that nobody waits for it: what comes next fails.
qemu_ready()
{
	[[ -s $instance/pid && -S $instance/qmp ]] || ! kill -0 "$1" 2>/dev/null
}

machine_stop()
{
	local pid
	ssh_close
	if pid=$(machine_pid); then
		qmp quit >/dev/null 2>&1 || kill -TERM "$pid" 2>/dev/null
		poll 5 machine_down || kill -KILL "$pid" 2>/dev/null
		poll 5 machine_down || die "process $pid does not end"
	fi
	rm -rf "$instance"
}
