/* The programs are run here by a small interpreter of the instructions that they use. */
#include <linux/bpf.h>

#include "tests/unit/unit.h"

#include "runtime/devices_bpf.h"
#include "runtime/spec.h"

static uint64_t alu(const struct bpf_insn *in, uint64_t a, uint64_t b)
{
	switch (BPF_OP(in->code)) {
	case BPF_MOV:
		return b;
	case BPF_AND:
		return (uint32_t)(a & b);
	case BPF_RSH:
		return (uint32_t)(a >> b);
	default:
		fail_msg("operation %x", in->code);
		return 0;
	}
}

static bool jumps(const struct bpf_insn *in, uint64_t a)
{
	switch (BPF_OP(in->code)) {
	case BPF_JA:
		return true;
	case BPF_JNE:
		return a != (uint64_t)(int64_t)in->imm;
	case BPF_JSET:
		return a & (uint64_t)(int64_t)in->imm;
	default:
		fail_msg("jump %x", in->code);
		return false;
	}
}

static bool run(const struct bpf_insn *program, int n, const uint32_t context[static 3])
{
	uint64_t r[11] = {};

	for (int at = 0; at >= 0 && at < n; at++) {
		const struct bpf_insn *in = &program[at];

		switch (BPF_CLASS(in->code)) {
		case BPF_LDX:
			r[in->dst_reg] = context[in->off / 4];
			break;
		case BPF_ALU:
		case BPF_ALU64:
			r[in->dst_reg] = alu(in, r[in->dst_reg],
				BPF_SRC(in->code) == BPF_X ? r[in->src_reg]
							   : (uint64_t)(int64_t)in->imm);
			break;
		default:
			if (BPF_OP(in->code) == BPF_EXIT) {
				return r[0];
			}
			at += jumps(in, r[in->dst_reg]) ? in->off : 0;
		}
	}
	fail_msg("the program runs over its end");
	return false;
}

static bool ask(const struct spec_device_rule *rules, size_t n, char type, uint32_t major,
	uint32_t minor, uint32_t access)
{
	static struct bpf_insn program[DEVICES_BPF_MAX];
	uint32_t kind = type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
	uint32_t context[3] = {access << 16 | kind, major, minor};
	int count = devices_bpf_compile(rules, n, program, NULL);

	assert_true(count > 0);
	return run(program, count, context);
}

enum { M = BPF_DEVCG_ACC_MKNOD, R = BPF_DEVCG_ACC_READ, W = BPF_DEVCG_ACC_WRITE };

static const struct spec_device_rule deny_all = {.access = "rwm"};

static void without_rules_the_basic_devices_are_open_and_others_are_not(void **state)
{
	(void)state;
	assert_true(ask(NULL, 0, 'c', 1, 3, R | W));
	assert_true(ask(NULL, 0, 'c', 136, 77, R | W));
	assert_true(ask(NULL, 0, 'c', 5, 2, R));
	assert_true(ask(NULL, 0, 'b', 8, 0, M));
	assert_false(ask(NULL, 0, 'c', 1, 1, R));
	assert_false(ask(NULL, 0, 'b', 1, 3, R));
	assert_false(ask(NULL, 0, 'b', 8, 0, R));
	assert_false(ask(NULL, 0, 'c', 10, 229, R | M));
}

static void the_last_rule_that_fits_decides(void **state)
{
	const struct spec_device_rule rules[] = {deny_all,
		{.allow = true, .type = "b", .major = {true, 8}, .access = "rw"},
		{.allow = false, .type = "b", .major = {true, 8}, .minor = {true, 1}}};

	(void)state;
	assert_true(ask(rules, 3, 'b', 8, 0, R | W));
	assert_false(ask(rules, 3, 'b', 8, 1, R));
	assert_false(ask(rules, 3, 'b', 9, 0, R));
	assert_false(ask(rules, 3, 'c', 8, 0, R));
	assert_true(ask(rules, 3, 'c', 1, 3, R | W)); /* what every container needs */
}

static void kinds_of_access_add_up_and_are_denied_alone(void **state)
{
	const struct spec_device_rule rules[] = {deny_all,
		{.allow = true, .type = "c", .major = {true, 10}, .access = "r"},
		{.allow = true,
			.type = "c",
			.major = {true, 10},
			.minor = {true, 1},
			.access = "w"},
		{.allow = false,
			.type = "c",
			.major = {true, 10},
			.minor = {true, 2},
			.access = "w"}};

	(void)state;
	assert_true(ask(rules, 4, 'c', 10, 1, R | W));
	assert_true(ask(rules, 4, 'c', 10, 0, R));
	assert_false(ask(rules, 4, 'c', 10, 0, R | W));
	assert_true(ask(rules, 4, 'c', 10, 2, R));
	assert_false(ask(rules, 4, 'c', 10, 2, R | W));
}

static void allow_all_is_allow_all(void **state)
{
	const struct spec_device_rule rules[] = {deny_all, {.allow = true, .type = "a"}};

	(void)state;
	assert_true(ask(rules, 2, 'b', 259, 1, R | W | M));
	assert_true(ask(rules, 2, 'c', 0, 0, R));
}

static void too_many_rules_are_refused(void **state)
{
	static struct spec_device_rule rules[1000];
	static struct bpf_insn program[DEVICES_BPF_MAX];
	struct err e = {};

	(void)state;
	assert_int_equal(devices_bpf_compile(rules, ARRAY_LEN(rules), program, &e), -E2BIG);
	assert_string_equal(e.member, ".linux.resources.devices");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_rules_the_basic_devices_are_open_and_others_are_not),
		cmocka_unit_test(the_last_rule_that_fits_decides),
		cmocka_unit_test(kinds_of_access_add_up_and_are_denied_alone),
		cmocka_unit_test(allow_all_is_allow_all),
		cmocka_unit_test(too_many_rules_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
