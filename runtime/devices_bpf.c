/*
 * The program keeps in r2 the kinds of access that are asked for and not yet allowed, and asks the rules
 * from the last to the first: an allowing rule takes its kinds away, and nothing left means yes; a
 * denying one that has any of what is left means no. So several rules may allow one access together.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/devices_bpf.h"
#include "runtime/spec.h"

#define NUMBER(n)                                                                                  \
	{                                                                                          \
		.set = true, .v = (n)                                                              \
	}
#define CHAR(ma, mi)                                                                               \
	{                                                                                          \
		.allow = true, .type = "c", .major = NUMBER(ma), .minor = NUMBER(mi),              \
		.access = "rwm"                                                                    \
	}

static const struct spec_device_rule basic[] = {
	CHAR(1, 3),
	CHAR(1, 5),
	CHAR(1, 7),
	CHAR(1, 8),
	CHAR(1, 9),
	CHAR(5, 0),
	CHAR(5, 1),
	CHAR(5, 2),
	{.allow = true, .type = "c", .major = NUMBER(136), .access = "rwm"},
	{.allow = true, .type = "c", .access = "m"},
	{.allow = true, .type = "b", .access = "m"},
};

const struct spec_device_rule *devices_basic_rules(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(basic);
	return basic;
}

enum { INSNS_PER_RULE = 8, INSNS_FIXED = 8, ACCESS_ALL = 7 };

struct program {
	struct bpf_insn *at;
	size_t n;
};

static void put(struct program *p, int code, int dst, int src, int off, int imm)
{
	p->at[p->n++] = (struct bpf_insn){.code = (uint8_t)code,
		.dst_reg = (uint8_t)(dst & 15),
		.src_reg = (uint8_t)(src & 15),
		.off = (int16_t)off,
		.imm = imm};
}

static void put_answer(struct program *p, bool allow)
{
	put(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
	put(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void put_prologue(struct program *p)
{
	/* struct bpf_cgroup_dev_ctx: access_type (kinds << 16 | type), major, minor */
	put(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, 0, 0);
	put(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
	put(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_3, 0, 0, 0xffff);
	put(p, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_2, 0, 0, 16);
	put(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1, 4, 0);
	put(p, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_5, BPF_REG_1, 8, 0);
}

static int access_mask(const char *access)
{
	int mask = 0;

	if (!access || !*access) {
		return ACCESS_ALL;
	}
	mask |= strchr(access, 'm') ? BPF_DEVCG_ACC_MKNOD : 0;
	mask |= strchr(access, 'r') ? BPF_DEVCG_ACC_READ : 0;
	mask |= strchr(access, 'w') ? BPF_DEVCG_ACC_WRITE : 0;
	return mask;
}

static void put_verdict(struct program *p, const struct spec_device_rule *rule, int mask)
{
	if (mask != ACCESS_ALL && rule->allow) {
		put(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, ~mask & ACCESS_ALL);
		put(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 2, 0);
	} else if (mask != ACCESS_ALL) {
		put(p, BPF_JMP | BPF_JSET | BPF_K, BPF_REG_2, 0, 1, mask);
		put(p, BPF_JMP | BPF_JA, 0, 0, 2, 0);
	}
	put_answer(p, rule->allow);
}

/* False when no rule before this one is ever asked; code for it would be refused as unreachable. */
static bool put_rule(struct program *p, const struct spec_device_rule *rule)
{
	const struct {
		bool set;
		int reg;
		int64_t value;
	} match[] = {
		{rule->type && rule->type[0] != 'a', BPF_REG_3,
			rule->type && rule->type[0] == 'b' ? BPF_DEVCG_DEV_BLOCK
							   : BPF_DEVCG_DEV_CHAR},
		{rule->major.set && rule->major.v >= 0, BPF_REG_4, rule->major.v},
		{rule->minor.set && rule->minor.v >= 0, BPF_REG_5, rule->minor.v},
	};
	int mask = access_mask(rule->access);
	size_t first = p->n, end = first + (mask == ACCESS_ALL ? 2 : 4);

	for (size_t i = 0; i < ARRAY_LEN(match); i++) {
		end += match[i].set;
	}
	for (size_t i = 0; i < ARRAY_LEN(match); i++) {
		if (match[i].set) { /* to the next rule, which begins at `end` */
			put(p, BPF_JMP | BPF_JNE | BPF_K, match[i].reg, 0, (int)(end - p->n - 1),
				(int)match[i].value);
		}
	}
	put_verdict(p, rule, mask);
	return mask != ACCESS_ALL || end != first + 2;
}

int devices_bpf_compile(
	const struct spec_device_rule *rules, size_t n, struct bpf_insn *program, struct err *e)
{
	struct program p = {.at = program};

	if ((n + ARRAY_LEN(basic)) * INSNS_PER_RULE + INSNS_FIXED > DEVICES_BPF_MAX) {
		return err_member(e, -E2BIG, ".linux.resources.devices", "too many rules");
	}
	put_prologue(&p);
	for (size_t i = ARRAY_LEN(basic); i-- > 0;) {
		(void)put_rule(&p, &basic[i]);
	}
	for (size_t i = n; i-- > 0;) {
		if (!put_rule(&p, &rules[i])) {
			return (int)p.n;
		}
	}
	put_answer(&p, false);
	return (int)p.n;
}

static int load(const struct bpf_insn *program, size_t n)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr)); /* the kernel checks that unknown parts are zero */
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uint64_t)(uintptr_t)program;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uint64_t)(uintptr_t) "MIT";
	memcpy(attr.prog_name, "fief_devices", sizeof("fief_devices"));
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

int devices_bpf_attach(
	int cgroup_dir, const struct spec_device_rule *rules, size_t n, struct err *e)
{
	_cleanup_free_ struct bpf_insn *program = calloc(DEVICES_BPF_MAX, sizeof(*program));
	_cleanup_close_ int fd = -1;
	union bpf_attr attr;
	int count;

	if (!program) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	count = devices_bpf_compile(rules, n, program, e);
	if (count < 0) {
		return count;
	}
	fd = load(program, (size_t)count);
	if (fd < 0) {
		return err_errno(e, "load the device rules");
	}
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)cgroup_dir;
	attr.attach_bpf_fd = (uint32_t)fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	return syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)) < 0
		       ? err_errno(e, "attach the device rules to the cgroup")
		       : 0;
}
