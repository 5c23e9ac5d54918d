#!/usr/bin/env bats
# quickstart as a new user runs it: real paths, real image, real site.
# timeout: 300

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/images

root=$BATS_TEST_DIRNAME/../..
uid=30001
store=/var/lib/fief/images

setup_file()
{
	# What this test finds of an earlier use it leaves alone.
	for path in "$store/debian-12" "/containers/$uid" "/var/lib/fief/containers/$uid.json" \
		"/var/lib/fief/bundles/$uid" "/var/lib/fief/shim/$uid" /etc/fief/keys/demo.localhost.pem; do
		[[ ! -e $path ]] || echo "$path" >>"$BATS_FILE_TMPDIR/before"
	done
	test_image debian-12 ""
	FIEF_HTTP=127.0.0.1:$(free_port)
	export FIEF_HTTP
}

teardown_file()
{
	"$root/quickstart" down || return
	for path in "$store/debian-12" "/containers/$uid" "/var/lib/fief/containers/$uid.json" \
		"/var/lib/fief/bundles/$uid" "/var/lib/fief/shim/$uid" /etc/fief/keys/demo.localhost.pem; do
		grep -qx "$path" "$BATS_FILE_TMPDIR/before" 2>/dev/null || rm -rf "$path"
	done
}

# What a second run must not change.
fingerprint()
{
	cat /run/fief/router/router.pid
	fief-shim state --json "$uid" | jq -c '[.pid, .started, .restarts]'
	find "/containers/$uid" "/var/lib/fief/bundles/$uid" "/var/lib/fief/containers" /etc/fief \
		-not -path '*/__pycache__*' -printf '%p %i %T@ %m %U\n' | sort
}

@test "quickstart says what it needs, in one line" {
	# where anybody may read it: a clone below /root is for root alone
	mkdir -p "$BATS_TEST_TMPDIR/tests/lib"
	cp "$root/quickstart" "$BATS_TEST_TMPDIR"
	cp "$root/tests/lib/packages.sh" "$BATS_TEST_TMPDIR/tests/lib"
	pass_to "$BATS_TEST_TMPDIR/tests/lib"
	run setpriv --reuid=65534 --regid=65534 --clear-groups "$BATS_TEST_TMPDIR/quickstart"
	[[ $status -eq 1 ]]
	assert_one_line
	[[ $output == *root*sudo* ]]
	run "$root/quickstart" sideways
	[[ $status -eq 1 ]]
	assert_one_line
}

@test "quickstart ends with the answer of the customer's application" {
	run "$root/quickstart"
	[[ $status -eq 0 ]]
	[[ $output == *"Hello from demo.localhost."* ]]
	[[ $output == *"uid $uid"* ]]
	[[ $output == *"quickstart down"* ]]
}

@test "run again it takes at most 20 seconds and changes nothing" {
	local before after begun=$SECONDS
	before=$(fingerprint)
	run "$root/quickstart"
	[[ $status -eq 0 ]]
	((SECONDS - begun <= 20))
	after=$(fingerprint)
	[[ $before == "$after" ]] || diff <(echo "$before") <(echo "$after")
}

@test "an address in use is told in one line, and what runs keeps running" {
	run env FIEF_HTTP="$FIEF_HTTP" "$root/quickstart" down
	[[ $status -eq 0 ]]
	start_bg taken python3 -m http.server --bind "${FIEF_HTTP%:*}" "${FIEF_HTTP#*:}"
	wait_for 5 curl -sf "http://$FIEF_HTTP/"
	run --separate-stderr "$root/quickstart"
	[[ $status -eq 1 ]]
	# shellcheck disable=SC2154 # set by run
	[[ $stderr == *"$FIEF_HTTP"*"in use"* && $(wc -l <<<"$stderr") -eq 1 ]]
	stop_all
}

@test "down ends everything that was started" {
	"$root/quickstart"
	"$root/quickstart" down
	refute_leftovers /var/lib/fief "/fief/$uid"
	refute_leftovers "$FIEF_BUILD"
	# the parent of the containers' cgroups may stay for other containers, but not empty
	[[ -z $(find /sys/fs/cgroup -maxdepth 2 -name fief -links 2) ]]
	[[ -z $(awk -v at="$uid" 'index($0, at) { print $5 }' /proc/self/mountinfo) ]]
	run ! getent passwd "$uid"
	[[ ! -S /run/fief/shim/$uid.sock ]]
	# once more: nothing to end is no failure
	"$root/quickstart" down
}
