#!/usr/bin/env bats
# The main job, end to end: record, image, bundle, shim, real uWSGI, signed subscription, router.
# timeout: 240

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/images
load ../lib/platform

uid=31101

setup_file()
{
	test_image debian-12 "$BATS_FILE_TMPDIR/p"
	platform_up "$BATS_FILE_TMPDIR/p"
	container_up "$uid" site debian-12
	site_up "$uid" site.example
	wait_for 30 answers site.example "version 1"
}

teardown_file()
{
	platform_down "$uid"
}

@test "a site answers 200 through the router, with Debian's uwsgi signing its subscription" {
	run ask site.example -i
	[[ $output == "HTTP/1.1 200"* ]]
	[[ $output == *"version 1 of uid $uid"* ]]
}

@test "the vassal is the distribution's own uwsgi, unmodified" {
	run inside "$uid" dpkg --verify uwsgi-core
	[[ $status -eq 0 ]]
	[[ -z $(grep -v '/usr/share/' <<<"$output") ]]
	inside "$uid" sh -c 'readlink /proc/[0-9]*/exe 2>/dev/null' | grep -qx /usr/bin/uwsgi-core
}

@test "an edited vassal is reloaded" {
	inside "$uid" sed -i 's/version 1/version 2/' "/containers/$uid/app.py"
	inside "$uid" touch "/containers/$uid/vassals/site.example.ini"
	wait_for 20 answers site.example "version 2"
}

@test "a removed vassal is unsubscribed, and comes back with its file" {
	inside "$uid" mv "/containers/$uid/vassals/site.example.ini" "/containers/$uid/parked"
	wait_for 20 says_status site.example 404 503
	grep -q "key='site.example'.*unsubscribed" "$(work_dir)/router.log" ||
		grep -q "key='site.example'.*unsubscribed" "$BATS_FILE_TMPDIR/router.log"
	inside "$uid" mv "/containers/$uid/parked" "/containers/$uid/vassals/site.example.ini"
	wait_for 20 answers site.example "version 2"
}

@test "a restarted router is told of the site again" {
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR stop_bg router
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR start_bg router fief-router --prefix "$P" \
		--http "127.0.0.1:$port" --workers 1 \
		--subscribe "unix:$P/run/fief/subscribe/http" --keys "$P/etc/fief/keys"
	wait_for 30 answers site.example "version 2"
}

@test "a customer cannot take the key of another" {
	local log=$BATS_FILE_TMPDIR/router.log
	write_inside "$uid" vassals/thief.ini 644 <<-VASSAL
		[uwsgi]
		plugin = python3
		socket = /run/thief.socket
		subscribe2 = server=/run/subscribe/http,key=other.example,addr=/containers/$uid/run/thief.socket,sign=SHA256:/containers/$uid/etc/uwsgi.key
		wsgi-file = /containers/$uid/app.py
	VASSAL
	wait_for 20 grep -q "other.example" "$log"
	says_status other.example 404
	inside "$uid" rm "/containers/$uid/vassals/thief.ini"
}

@test "stop withdraws the site first and leaves nothing" {
	run fief-shim stop --prefix "$P" "$uid"
	[[ $status -eq 0 ]]
	wait_for 5 says_status site.example 404 503
	refute_leftovers "$P/var/lib/fief/bundles/$uid" "/fief/$uid"
	[[ $(jq -r .status "$P/var/lib/fief/shim/$uid/exit.json") == 0 ]]
}
