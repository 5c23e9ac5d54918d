# shellcheck disable=SC2034 # what the other files use
# What all parts of tests/vm/vm share: where things are, errors, locks, keys.
#
# Below $FIEF_VM_DIR: image-KEY/ (kernel, initrd, file system), template-KEY/ (a booted machine),
# tree-KEY.raw (a directory as a file system), instance/NAME/ (what runs). A KEY is the hash of all
# that the thing is made from, so that nobody has to remember to rebuild.

vm_home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
vm_source=$(cd "$vm_home/../.." && pwd)
vm_dir=${FIEF_VM_DIR:-/var/cache/fief-vm}
vm_name=${FIEF_VM_NAME:-vm}
vm_cpus=${FIEF_VM_CPUS:-2}
vm_memory=${FIEF_VM_MEMORY:-2048}
vm_life=${FIEF_VM_LIFE:-7200}
instance=$vm_dir/instance/$vm_name

say()
{
	echo "vm: $*" >&2
}

# 125 as with timeout(1) and docker: not the status of what was run in the guest.
die()
{
	say "$*"
	exit 125
}

# The last line of a log, for one-line errors.
last_line()
{
	[[ ! -s $1 ]] || grep -v '^[[:space:]]*$' "$1" | tail -n 1 | tr -d '\r'
}

began=$EPOCHREALTIME

# Seconds since the command began, with one decimal.
elapsed()
{
	local tenths=$(((${EPOCHREALTIME/./} - ${began/./}) / 100000))
	echo "$((tenths / 10)).$((tenths % 10)) s"
}

# poll SECONDS CMD...: until CMD succeeds.
poll()
{
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		sleep 0.05
	done
}

check_settings()
{
	[[ $(id -u) -eq 0 ]] || die "must be root"
	[[ $(uname -m) == x86_64 ]] || die "this machine is '$(uname -m)', only x86_64 is supported"
	[[ $vm_name =~ ^[a-z0-9-]{1,20}$ ]] || die "FIEF_VM_NAME '$vm_name' is not a name (a-z, 0-9, -)"
	# sockets are made below it, and the path of one has at most 107 bytes
	[[ $vm_dir == /* && ${#vm_dir} -le 50 ]] || die "FIEF_VM_DIR '$vm_dir' is not absolute or too long"
	[[ $vm_cpus$vm_memory$vm_life =~ ^[0-9]+$ ]] ||
		die "FIEF_VM_CPUS, FIEF_VM_MEMORY and FIEF_VM_LIFE are numbers"
	mkdir -p "$vm_dir/instance" || die "cannot make '$vm_dir'"
	vm_dir=$(realpath "$vm_dir")
	instance=$vm_dir/instance/$vm_name
}

install_packages()
{
	# shellcheck source=tests/lib/packages.sh
	. "$vm_source/tests/lib/packages.sh"
	packages_install "$vm_dir/packages.log" "$vm_source/data/debian-packages.vm" >&2 || exit 125
}

# The first that needs something makes it, the others wait for it.
lock_state()
{
	exec {state_lock}>"$vm_dir/lock"
	flock -w 1200 "$state_lock" || die "another vm has held '$vm_dir/lock' for 20 minutes"
}

unlock_state()
{
	exec {state_lock}>&-
}

# hash_of FILE... : of their content, and of standard input.
hash_of()
{
	cat - "$@" | sha256sum | cut -c1-16
}

# What no run has used for a week; instances live for hours only.
prune()
{
	find "$vm_dir" -maxdepth 1 \( -name 'image-*' -o -name 'template-*' -o -name 'tree-*' \) \
		-mtime +7 -exec rm -rf --one-file-system {} +
}
