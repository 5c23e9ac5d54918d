# Shared by the bats files: load ../lib/common
#
# Programs are in $FIEF_BUILD. Tests make files only in the directories that bats gives, wait only by
# wait_for, start what runs on by start_bg and call stop_all in teardown (teardown_file).

FIEF_BUILD=${FIEF_BUILD:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build}
export FIEF_BUILD PATH="$FIEF_BUILD:$PATH"

# The directory for files of this test, or of the bats file in setup_file and teardown_file.
work_dir()
{
	echo "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}"
}

# fail MESSAGE...: the test ends here.
fail()
{
	echo "$*" >&2
	return 1
}

# wait_for SECONDS CMD...: until CMD succeeds, asked every 20 ms. The only waiting that is allowed: it
# ends with the event, and with a failure that says what did not come.
wait_for()
{
	local seconds=$1 deadline
	shift
	deadline=$(($(date +%s%N) + seconds * 1000000000))
	until "$@" >/dev/null 2>&1; do
		if (($(date +%s%N) > deadline)); then
			fail "not within $seconds seconds: $*"
			return
		fi
		sleep 0.02
	done
}

# A TCP port of 127.0.0.1 that nobody listens on now. Prefer port 0 where a program can say which it got.
free_port()
{
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# When process PID started, in clock ticks: tells it from a later one of the same pid. Fails for a
# process that has ended, zombies included.
process_start()
{
	local stat fields
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	read -ra fields <<<"${stat##*) }"
	[[ ${fields[0]} != Z ]] || return 1
	echo "${fields[19]}"
}

# The process leads a group, or has ended already.
leads_group()
{
	! process_start "$1" >/dev/null || kill -0 -- "-$1"
}

# start_bg NAME CMD...: runs CMD in the background in a session of its own, output to NAME.log of the
# work directory; sets $bg_pid. It leads a process group, which stop_bg ends as a whole.
start_bg()
{
	local name=$1 dir
	shift
	dir=$(work_dir)
	mkdir -p "$dir/bg"
	# 3 is the descriptor of bats: who holds it keeps bats from ending
	setsid "$@" </dev/null >"$dir/$name.log" 2>&1 3>&- &
	bg_pid=$!
	echo "$bg_pid $(process_start "$bg_pid")" >"$dir/bg/$name.pid"
	wait_for 5 leads_group "$bg_pid"
}

bg_running()
{
	local pid start
	read -r pid start 2>/dev/null <"$(work_dir)/bg/$1.pid" || return 1
	[[ -n $start && $(process_start "$pid") == "$start" ]]
}

bg_ended()
{
	! bg_running "$1"
}

# stop_bg NAME: TERM to it and its children, and KILL to what is left of them after $stop_seconds.
stop_bg()
{
	local name=$1 pid start
	if bg_running "$name"; then
		read -r pid start <"$(work_dir)/bg/$name.pid"
		kill -TERM -- "-$pid" 2>/dev/null || true
		wait_for "${stop_seconds:-5}" bg_ended "$name" 2>/dev/null || true
		kill -KILL -- "-$pid" 2>/dev/null || true
		wait_for 5 bg_ended "$name"
	fi
	rm -f "$(work_dir)/bg/$name.pid"
}

# Everything that start_bg started. For teardown.
stop_all()
{
	local file
	for file in "$(work_dir)/bg/"*.pid; do
		[[ ! -f $file ]] || stop_bg "$(basename "$file" .pid)"
	done
}

# After `run`: the output is one line without control characters.
assert_one_line()
{
	[[ -n $output ]] || fail "there is no output" || return
	[[ $output != *[[:cntrl:]]* ]] || fail "more than one line: $output"
}

# assert_usage_error [PART]: after `run`: status 2 and one line, which holds PART.
assert_usage_error()
{
	[[ $status -eq 2 ]] || fail "status $status, not 2: $output" || return
	assert_one_line || return
	[[ $output == *"${1:-}"* ]] || fail "'$1' is not in: $output"
}

leftover_mounts()
{
	awk -v at="$1" 'index($5, at) == 1 { print "mount " $5 }' /proc/self/mountinfo
}

leftover_cgroups()
{
	# others come and go meanwhile, which find takes for a failure
	find /sys/fs/cgroup -type d -path "*$1*" -printf 'cgroup %p\n' 2>/dev/null || true
}

leftover_processes()
{
	local link
	find /proc/[0-9]*/{root,cwd,exe} -maxdepth 0 -lname "$1*" 2>/dev/null | while read -r link; do
		echo "process ${link//[!0-9]/} (${link##*/}): $(tr '\0' ' ' 2>/dev/null <"${link%/*}/cmdline")"
	done
}

# refute_leftovers DIR [CGROUP...]: no mount below DIR, no process with its root, working directory or
# program there, and no cgroup whose path holds one of the CGROUPs ("/fief/31001").
refute_leftovers()
{
	local dir=$1 found cgroup
	shift
	found=$(
		leftover_mounts "$dir"
		leftover_processes "$dir"
		for cgroup; do
			leftover_cgroups "$cgroup"
		done
	)
	[[ -z $found ]] || fail "left behind: $found"
}

# private_mounts CMD...: in a mount namespace of its own, so that nothing it mounts is seen outside.
private_mounts()
{
	unshare --mount --propagation private -- "$@"
}
