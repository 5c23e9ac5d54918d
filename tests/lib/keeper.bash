# Containers kept by fief-shim, for tests: load ../lib/keeper (after ../lib/common, ../lib/images).
# shellcheck shell=bash disable=SC2154 # prefix is set by the test

# new_container UID IMAGE [JQ]: a bundle from a record, which JQ may change. Prints the bundle's path.
new_container()
{
	local uid=$1 image=$2 change=${3:-.}
	jq -n --argjson uid "$uid" --arg image "$image" \
		"{version: 1, uid: \$uid, name: \"test-\(\$uid)\", image: \$image,
		memory: 134217728, pids: 100} | $change" >"$prefix/$uid.record"
	fief-bundle --prefix "$prefix" apply "$prefix/$uid.record" >/dev/null || return
	echo "$prefix/var/lib/fief/bundles/$uid"
}

# tune UID JQ: changes fief.json of a bundle.
tune()
{
	local file=$prefix/var/lib/fief/bundles/$1/fief.json
	jq "$2" "$file" >"$file.new" && mv "$file.new" "$file"
}

# start_container UID [OPTION...]
start_container()
{
	local uid=$1
	shift
	fief-shim run "$prefix/var/lib/fief/bundles/$uid" --prefix "$prefix" --detach "$@" 3>&-
}

inside()
{
	local uid=$1
	shift
	fief-shim exec "$uid" --prefix "$prefix" -- "$@" 3>&-
}

stop_container()
{
	local uid=$1
	shift
	fief-shim stop "$uid" --prefix "$prefix" "$@"
}

# state UID JQ: of the answer of `fief-shim state --json`.
state()
{
	fief-shim state "$1" --json --prefix "$prefix" | jq -r "$2"
}

state_is()
{
	[[ $(state "$1" "$2") == "$3" ]]
}

state_dir()
{
	echo "$prefix/var/lib/fief/shim/$1"
}

# as_customer UID CMD...: on the host, with the customer's ids.
as_customer()
{
	local uid=$1
	shift
	setpriv --reuid "$uid" --regid "$uid" --clear-groups -- "$@"
}

# put_file UID PATH MODE: standard input becomes a file of the home, owned by the customer.
put_file()
{
	local path=$prefix/containers/$1/$2
	mkdir -p "${path%/*}"
	cat >"$path.new"
	chown "$1:$1" "$path.new" "${path%/*}"
	chmod "$3" "$path.new"
	mv "$path.new" "$path"
}

# members UID: host pids of the container, that of init first.
members()
{
	local init ns pid
	init=$(state "$1" .pid)
	ns=$(readlink "/proc/$init/ns/pid")
	echo "$init"
	for pid in /proc/[0-9]*; do
		pid=${pid#/proc/}
		[[ $pid == "$init" || $(readlink "/proc/$pid/ns/pid" 2>/dev/null) != "$ns" ]] ||
			echo "$pid"
	done
}

# emperor UID: host pid of the Emperor.
emperor()
{
	local init
	init=$(state "$1" .pid)
	pgrep -P "$init" -f -- '--emperor-tyrant'
}
