#!/usr/bin/env bats
# Every program that the build made: help, and what is said to a wrong command line.

bats_require_minimum_version 1.5.0
load ../lib/common

# Programs of the build tree; those for the inside of containers are not run by people.
programs()
{
	local file
	for file in "$FIEF_BUILD"/fief "$FIEF_BUILD"/fief-*; do
		[[ -f $file && -x $file ]] && echo "${file##*/}"
	done | grep -vxE 'fief-(init|subscribe)'
}

each_program()
{
	local program failed=0
	for program in $(programs); do
		"$@" "$program" || {
			echo "failed: $program" >&2
			failed=1
		}
	done
	return "$failed"
}

prints_help()
{
	run --separate-stderr "$FIEF_BUILD/$1" --help </dev/null
	[[ $status -eq 0 ]] || fail "status $status" || return
	[[ $output == *usage:*"$1"* ]] || fail "no usage of $1 in: $output" || return
	[[ -z $stderr ]] || fail "on stderr: $stderr"
}

refuses_option()
{
	run "$FIEF_BUILD/$1" --no-such-option </dev/null
	assert_usage_error "--no-such-option"
}

refuses_verb()
{
	run "$FIEF_BUILD/$1" no-such-verb </dev/null
	[[ $status -ne 0 ]] || fail "status 0: $output" || return
	assert_one_line
}

@test "the build made programs" {
	[[ -n $(programs) ]]
}

@test "every program prints its help on standard output" {
	each_program prints_help
}

@test "every program refuses an unknown option in one line with status 2" {
	each_program refuses_option
}

@test "every program refuses an operand that it does not know in one line" {
	each_program refuses_verb
}
