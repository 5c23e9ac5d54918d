# Images for tests: load ../lib/images (after ../lib/common).
#
# Real images take half a minute to build, so they are built once into a cache that later runs use:
# $FIEF_TEST_IMAGES, a prefix of fief-image. They are given to tests as hard links; tests must not
# write into them. What builds them is part of the cache's name: other code, other images.

if [[ -z ${FIEF_TEST_IMAGES:-} ]]; then
	FIEF_TEST_IMAGES=/var/cache/fief-test-images/$(
		cat "$(dirname "${BASH_SOURCE[0]}")"/../../images/*.[ch] | sha256sum | cut -c1-12)
	export FIEF_TEST_IMAGES
fi

store_of()
{
	echo "$1/var/lib/fief/images"
}

# Builds debian-12 or debian-12-i386 into the cache when it is missing. One at a time.
cached_image()
{
	local name=$1 arch=amd64
	[[ $name != *-i386 ]] || arch=i386
	mkdir -p "$FIEF_TEST_IMAGES"
	# those of earlier code; nothing uses them any more
	find "$(dirname "$FIEF_TEST_IMAGES")" -mindepth 1 -maxdepth 1 -not -path "$FIEF_TEST_IMAGES" \
		-path '*/fief-test-images/*' -mtime +1 -exec rm -rf {} + || true
	# opened for appending: its time stays, and so does tests/vm's copy of what has not changed
	(
		flock 9
		fief-image --prefix "$FIEF_TEST_IMAGES" show "$name" >/dev/null 2>&1 ||
			fief-image --prefix "$FIEF_TEST_IMAGES" build "${name%-i386}" --arch "$arch" --quiet ||
			# mirrors of the security suite are at times in the midst of an update
			fief-image --prefix "$FIEF_TEST_IMAGES" build "${name%-i386}" --arch "$arch" --quiet \
				--no-security
	) 9>>"$FIEF_TEST_IMAGES/.lock" 4<&0 5<&0 6<&0 7<&0 8<&0 # a build must not mind what it inherits
}

# test_image NAME PREFIX: image NAME (debian-12, debian-12-i386) is in the store of PREFIX.
test_image()
{
	local name=$1 prefix=$2 store
	store=$(store_of "$prefix")
	cached_image "$name" || return
	mkdir -p "$store"
	[[ -e $store/$name ]] ||
		cp -al "$(store_of "$FIEF_TEST_IMAGES")/$name" "$store/$name" 2>/dev/null ||
		{
			# another file system
			rm -rf "${store:?}/$name"
			cp -a "$(store_of "$FIEF_TEST_IMAGES")/$name" "$store/$name"
		}
}

# tiny_tree DIR: a tree with a static shell, small enough to be made for every test.
tiny_tree()
{
	mkdir -p "$1/bin" "$1/etc"
	cp /bin/busybox "$1/bin/busybox"
	ln -s busybox "$1/bin/sh"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
	echo 'root:x:0:' >"$1/etc/group"
}

# pass_to DIR: lets unprivileged ids (container root) search DIR and what is above it, below /tmp.
pass_to()
{
	local dir=$1
	while [[ $dir == "${BATS_RUN_TMPDIR:?}"* ]]; do
		chmod o+x "$dir"
		dir=${dir%/*}
	done
}
