# Sourced by check and quickstart (POSIX sh): installs the packages of the lists in data/.

# Names in the list files given, one a line.
packages_listed()
{
	sed 's/#.*//; /^[[:space:]]*$/d; s/[[:space:]]//g' "$@"
}

# Those of the lists that are not installed.
packages_missing()
{
	packages_listed "$@" | while read -r name; do
		case $(dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null) in
		ii*) ;;
		*) echo "$name" ;;
		esac
	done
}

# packages_install LOG LIST...: installs what is missing; one line on stderr and 1 on failure.
packages_install()
{
	packages_log=$1
	shift
	packages_names=$(packages_missing "$@" | tr '\n' ' ')
	[ -n "$packages_names" ] || return 0
	if ! command -v apt-get >/dev/null; then
		echo "${0##*/}: missing packages and no apt-get to install them: $packages_names" >&2
		return 1
	fi
	if [ "$(id -u)" -ne 0 ]; then
		echo "${0##*/}: must be root to install packages (try: sudo $0): $packages_names" >&2
		return 1
	fi
	echo "installing packages: $packages_names"
	if ! apt-get -q update >"$packages_log" 2>&1; then
		echo "${0##*/}: cannot update the package lists, is there a network? $(
			tail -n 1 "$packages_log")" >&2
		return 1
	fi
	# shellcheck disable=SC2086 # names are words
	if ! DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
		-o Dpkg::Use-Pty=0 install $packages_names >"$packages_log" 2>&1 </dev/null; then
		echo "${0##*/}: cannot install packages, is there a network? $(
			grep '^E:' "$packages_log" | head -n 1)" >&2
		return 1
	fi
}
