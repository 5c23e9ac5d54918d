#!/usr/bin/env bats
# The judge is judged: ./check in a tree of its own, with suites that pass, fail, hang and vanish.

bats_require_minimum_version 1.5.0
load ../lib/common

setup()
{
	local top=$BATS_TEST_DIRNAME/../..
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p tests/lint tests/lib data build bin
	sed 's/^suite_timeout=300/suite_timeout=1/' "$top/check" >check
	cp "$top/tests/lib/packages.sh" tests/lib
	touch data/debian-packages.build data/debian-packages.test tests/allowed-skips build/build.ninja
	printf '#!/bin/sh\nexit 0\n' >bin/ninja
	chmod +x check bin/ninja
	export FIEF_BUILD=$PWD/build PATH=$PWD/bin:$PATH TMPDIR=$PWD
}

# suite NAME: a script of tests/lint from standard input.
suite()
{
	{ echo '#!/bin/sh'; cat; } >"tests/lint/$1"
	chmod +x "tests/lint/$1"
}

# verdict LINE STATUS: of all suites.
verdict()
{
	run ./check lint
	echo "$output"
	[[ ${lines[-1]} == "$1" && $status -eq $2 ]]
}

@test "every test is counted and the last line is the verdict" {
	suite a <<<'echo 1..2; echo "ok 1 - x"; echo "ok 2 y"'
	suite b <<<'echo "ok 1 - z"; echo 1..1'
	verdict "3 passed, 0 failed, 0 skipped" 0
}

@test "a failed test is shown, listed and fails the run" {
	suite a <<<'echo 1..2; echo "ok 1 - x"; echo "not ok 2 - y"; echo "# because"; exit 1'
	verdict "1 passed, 1 failed, 0 skipped" 1
	[[ $output == *"| # because"* && $output == *"failed:"*"  lint/a: y"* ]]
}

@test "tests that a dying suite did not reach have failed" {
	suite a <<<'echo 1..3; echo "ok 1 - x"; kill -KILL $$'
	verdict "1 passed, 2 failed, 0 skipped" 1
}

@test "a suite that passes all and ends with a bad status has failed" {
	suite a <<<'echo 1..1; echo "ok 1 - x"; exit 3'
	verdict "1 passed, 1 failed, 0 skipped" 1
}

@test "a suite that says nothing has failed" {
	suite a <<<'exit 0'
	verdict "0 passed, 1 failed, 0 skipped" 1
}

@test "a suite that hangs is ended at its time limit and has failed" {
	suite a <<<'echo 1..1; exec sleep 100'
	verdict "0 passed, 2 failed, 0 skipped" 1
	[[ $output == *"(over 1 seconds)"* ]]
}

@test "a skip counts as failed unless it is listed with a reason" {
	suite a <<<'echo 1..2; echo "ok 1 x # skip no kernel"; echo "not ok 2 # SKIP y"'
	verdict "0 passed, 2 failed, 0 skipped" 1
	echo 'lint/a: [xy] # the reason' >tests/allowed-skips
	verdict "0 passed, 0 failed, 2 skipped" 0
}

@test "a build that fails is a failure with a verdict" {
	printf '#!/bin/sh\necho "x.c:1: error: wrong"\nexit 1\n' >bin/ninja
	suite a <<<'echo 1..1; echo "ok 1 - x"'
	verdict "0 passed, 1 failed, 0 skipped" 1
	[[ $output == *"x.c:1: error: wrong"* ]]
}

@test "a compiler warning is a failure, and the tests still run" {
	printf '#!/bin/sh\necho "x.c:1: warning: doubtful"\n' >bin/ninja
	suite a <<<'echo 1..1; echo "ok 1 - x"'
	verdict "1 passed, 1 failed, 0 skipped" 1
}

@test "a name selects one suite, an unknown one is a usage error" {
	suite a <<<'echo 1..1; echo "ok 1 - x"'
	suite b <<<'echo 1..1; echo "not ok 1 - x"'
	run ./check a
	[[ ${lines[-1]} == "1 passed, 0 failed, 0 skipped" ]]
	run ./check --frob
	assert_usage_error "unknown option '--frob'"
}

@test "nothing is left in the directory for temporary files" {
	suite a <<<'echo 1..1; echo "ok 1 - x"'
	verdict "1 passed, 0 failed, 0 skipped" 0
	run ! ls -d "$TMPDIR"/fief-check.*
}
