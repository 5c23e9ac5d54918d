# shellcheck disable=SC2154 # of base.bash
# The image: kernel, initrd and root file system, from Debian packages only.

suite=bookworm
kernel_package=linux-image-cloud-amd64

# One name a line; a comma between them is what mmdebstrap wants.
guest_packages()
{
	sed 's/#.*//; s/[[:space:]]//g; /^$/d' "$vm_home/guest/packages" \
		"$vm_source/data/debian-packages.build" "$vm_source/data/debian-packages.quickstart" |
		sort -u
}

image_key()
{
	guest_packages | hash_of "$vm_home/lib/image.bash" "$vm_home/guest/setup" "$vm_home/guest/init"
}

image_path()
{
	echo "$vm_dir/image-$(image_key)"
}

# This machine's own mirrors, as long as they are of the suite.
apt_sources()
{
	local file
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
		if [[ -f $file ]] && grep -qE "^[^#]*\b$suite\b" "$file"; then
			echo "$file"
			return
		fi
	done
	return 1
}

make_root()
{
	apt_sources >/dev/null || die "apt of this machine has no source of '$suite': add one"
	local root=$1 log=$2
	# the kernel is only unpacked: its scripts would make an initrd of their own for half a minute
	# shellcheck disable=SC2016 # $1 is the hook's
	timeout -k 10 900 mmdebstrap -q --variant=minbase --mode=root \
		--include="$(guest_packages | paste -sd,)" \
		--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
		--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook='cd "$1/tmp" && name=$(chroot "$1" apt-cache depends '"$kernel_package"' |
			sed -n "s/.*Depends: \(linux-image-[0-9]\)/\1/p") &&
			chroot "$1" sh -c "cd /tmp && apt-get -q download $name" &&
			dpkg -x linux-image-*.deb "$1/kernel" && rm linux-image-*.deb' \
		"$suite" "$root" "$(apt_sources)" >"$log" 2>&1 </dev/null ||
		die "mmdebstrap failed, see '$log': $(grep -m 1 '^E:' "$log")"
}

# make_ext4 FILE DIR: DIR as a file system of 8 GiB, sparse, with project quota.
make_ext4()
{
	rm -f "$1"
	truncate -s 8G "$1"
	mke2fs -q -F -t ext4 -b 4096 -I 256 -O quota,project -m 1 -d "$2" \
		-E quotatype=usrquota:grpquota:prjquota,lazy_itable_init=1,lazy_journal_init=1,nodiscard \
		"$1" >"$1.log" 2>&1 || die "mke2fs: $(last_line "$1.log")"
	# mke2fs -d leaves the usage of the quotas at zero; this counts it
	e2fsck -fy "$1" >"$1.log" 2>&1
	[[ $? -le 1 ]] || die "e2fsck: $(last_line "$1.log")"
	rm -f "$1.log"
}

make_initrd()
{
	local root=$1 release=$2 to=$3 tree=$3.tree module n=10 name
	mkdir -p "$tree"/{modules,root,dev,bin}
	cp "$root/bin/busybox" "$tree/bin/"
	cp "$vm_home/guest/init" "$tree/init"
	for module in virtio_pci virtio_blk crc32c_generic ext4 quota_v2; do
		chroot "$root" modprobe -S "$release" --show-depends "$module"
	done 2>/dev/null | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$to.list"
	while read -r name; do
		cp "$root$name" "$tree/modules/$n-${name##*/}" # in the order of dependence
		n=$((n + 1))
	done <"$to.list"
	(cd "$tree" && find . | ./bin/busybox cpio -o -H newc -R 0:0 2>/dev/null) >"$to" ||
		die "cannot make the initrd"
	rm -rf "$tree" "$to.list"
}

image_build()
{
	local to root release
	to=$(image_path)
	new=$to.new # global: for the trap
	root=$new/root
	[[ ! -d $to ]] || return 0
	rm -rf --one-file-system "$new"
	mkdir -p "$new"
	trap 'rm -rf --one-file-system "$new"' EXIT
	make_root "$root" "$vm_dir/mmdebstrap.log"
	say "packages unpacked after $(elapsed)"
	release=$(basename "$root"/kernel/lib/modules/*)
	mv "$root/kernel/boot/vmlinuz-$release" "$new/vmlinuz" &&
		mkdir -p "$root/lib/modules" &&
		mv "$root/kernel/lib/modules/$release" "$root/lib/modules/" ||
		die "no kernel in '$kernel_package'"
	mv "$root/kernel/boot/config-$release" "$root/boot/"
	rm -rf "$root/kernel"
	ssh-keygen -q -t ed25519 -N '' -C fief-vm -f "$new/key" || die "cannot make a key for ssh"
	cp "$vm_home/guest/setup" "$root/tmp/setup"
	chroot "$root" /tmp/setup "$release" <"$new/key.pub" >"$vm_dir/setup.log" 2>&1 ||
		die "setup of the guest failed: $(last_line "$vm_dir/setup.log")"
	rm "$root/tmp/setup"
	make_initrd "$root" "$release" "$new/initrd"
	make_ext4 "$new/root.raw" "$root"
	rm -rf --one-file-system "$root"
	mv "$new" "$to"
	trap - EXIT
	say "image made after $(elapsed)"
}

# tree_build DIR: prints the path of a file system with the content of DIR.
tree_build()
{
	local dir=$1 to
	to=$vm_dir/tree-$(cd "$dir" && find . -printf '%p %s %T@ %m %U %G %l\n' | sort |
		hash_of "$vm_home/lib/image.bash").raw
	if [[ ! -f $to ]]; then
		make_ext4 "$to.new" "$dir"
		mv "$to.new" "$to"
		say "'$dir' packed after $(elapsed)"
	fi
	touch "$to"
	echo "$to"
}
