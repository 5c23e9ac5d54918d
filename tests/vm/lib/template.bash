# shellcheck disable=SC2154 # of base.bash and image.bash
# The template: a machine that has booted and is saved. A clone of it is there in two seconds, where a
# boot under TCG takes twenty and more.

template_path()
{
	echo "$vm_dir/template-$(machine_key)"
}

overlay()
{
	qemu-img create -q -f qcow2 -b "$1" -F "$2" "$3" >&2 || die "cannot make the disk '$3'"
}

template_build()
{
	local to
	to=$(template_path)
	new=$to.new # global: for the trap
	[[ ! -d $to ]] || return 0
	instance=$vm_dir/instance/template
	machine_stop
	rm -rf "$new"
	mkdir -p "$new" "$instance"
	trap 'machine_stop; rm -rf "$new"' EXIT
	# relative, as the directory is renamed below
	overlay "../$(basename "$(image_path)")/root.raw" raw "$new/root.qcow2"
	qemu-img create -q -f qcow2 "$instance/tree.qcow2" 8G >&2 || die "cannot make a disk"
	machine_start "$new/root.qcow2" "$instance/tree.qcow2" "$new/ram" on
	ssh_open 300
	say "cold boot after $(elapsed)"
	guest_ssh sh -s <"$vm_home/guest/warm" >"$instance/warm.log" 2>&1 ||
		die "the guest is not well: $(last_line "$instance/warm.log")"
	ssh_close
	qmp save "$new/state" || die "cannot save the template"
	machine_stop
	trap - EXIT
	mv "$new" "$to"
	instance=$vm_dir/instance/$vm_name
	say "template saved after $(elapsed), $(du -sh "$to" | cut -f1) and $(du -sh "$(image_path)" | cut -f1)"
}

# template_clone [DIR]: a running machine; a copy of DIR becomes its /mnt.
template_clone()
{
	local template tree=''
	template=$(template_path)
	touch "$template" "$(image_path)"
	[[ -z ${1:-} ]] || tree=$(tree_build "$1") || exit 125
	rm -rf "$instance"
	mkdir -p "$instance"
	trap machine_stop EXIT
	overlay "$template/root.qcow2" qcow2 "$instance/root.qcow2"
	if [[ -n $tree ]]; then
		overlay "$tree" raw "$instance/tree.qcow2"
	else
		qemu-img create -q -f qcow2 "$instance/tree.qcow2" 8G >&2 || die "cannot make a disk"
	fi
	machine_start "$instance/root.qcow2" "$instance/tree.qcow2" "$template/ram" off -incoming defer
	qmp resume "$template/state" || die "cannot resume the template"
	ssh_open 120
	wake "$tree"
	trap - EXIT
	say "'$vm_name' is up after $(elapsed)"
}

# Its clock stands at the time of the template, its random numbers are those of every other clone, and it
# has cached that /dev/vdc is empty.
wake()
{
	local script="cat >/dev/urandom && date -s @$EPOCHREALTIME"
	[[ -z $1 ]] || script+=' && blockdev --flushbufs /dev/vdc && mount -o noatime,prjquota /dev/vdc /mnt'
	head -c 64 /dev/urandom | guest_ssh "$script" >"$instance/wake.log" 2>&1 ||
		die "the guest does not wake up: $(last_line "$instance/wake.log")"
}
