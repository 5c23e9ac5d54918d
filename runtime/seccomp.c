#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "runtime/seccomp.h"
#include "runtime/spec.h"

enum { SYSCALL_ARGS = 6 };

struct rule {
	const char **names; /* owned vector */
	const char *action;
	struct opt_u64 errno_ret;
	const struct json *args;
};

struct arg {
	uint32_t index;
	uint64_t value, value_two;
	int op;
};

struct profile {
	const char *default_action;
	struct opt_u64 default_errno;
	const char **architectures, **flags; /* owned vectors or NULL */
	const struct json *syscalls;
};

static int read_op(const struct json *v, void *at, struct err *e)
{
	static const struct {
		const char *name;
		int op;
	} ops[] = {
		{"SCMP_CMP_NE", SCMP_CMP_NE},
		{"SCMP_CMP_LT", SCMP_CMP_LT},
		{"SCMP_CMP_LE", SCMP_CMP_LE},
		{"SCMP_CMP_EQ", SCMP_CMP_EQ},
		{"SCMP_CMP_GE", SCMP_CMP_GE},
		{"SCMP_CMP_GT", SCMP_CMP_GT},
		{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
	};
	const char *name;
	int r = json_read_str(v, &name, e);

	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (strcmp(ops[i].name, name) == 0) {
			*(int *)at = ops[i].op;
			return 0;
		}
	}
	return json_error(e, v, "unknown operator '%.40s'", name);
}

static int parse_action(const char *name, const struct opt_u64 *errno_ret, uint32_t *ret)
{
	/* A rule without errnoRet gives EPERM (config-linux.md, "seccomp"). */
	uint32_t code = errno_ret->set ? (uint32_t)(errno_ret->v & 0xffff) : EPERM;
	const struct {
		const char *name;
		uint32_t action;
	} actions[] = {
		{"SCMP_ACT_KILL", SCMP_ACT_KILL},
		{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
		{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
		{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
		{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(code)},
		{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(code)},
		{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
		{"SCMP_ACT_LOG", SCMP_ACT_LOG},
	};

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(actions[i].name, name) == 0) {
			*ret = actions[i].action;
			return 0;
		}
	}
	return -EINVAL;
}

static int read_arg(const struct json *v, struct scmp_arg_cmp *ret, struct err *e)
{
	static const struct json_field fields[] = {
		{"index", json_read_u32, offsetof(struct arg, index), JSON_REQUIRED},
		{"value", json_read_u64, offsetof(struct arg, value), JSON_REQUIRED},
		{"valueTwo", json_read_u64, offsetof(struct arg, value_two), JSON_OPTIONAL},
		{"op", read_op, offsetof(struct arg, op), JSON_REQUIRED},
		{},
	};
	struct arg arg = {};
	int r = json_read(v, fields, JSON_UNKNOWN_ALLOWED, &arg, e);

	if (r == 0 && arg.index >= SYSCALL_ARGS) {
		return json_error(e, v, "index must be under 6");
	}
	*ret = (struct scmp_arg_cmp){.arg = arg.index,
		.op = (enum scmp_compare)arg.op,
		.datum_a = arg.value,
		.datum_b = arg.value_two};
	return r;
}

static int read_args(
	const struct json *v, struct scmp_arg_cmp *args, unsigned *ret_n, struct err *e)
{
	const struct json *item;

	*ret_n = 0;
	if (!v) {
		return 0;
	}
	json_each(item, v)
	{
		int r;

		if (*ret_n >= SYSCALL_ARGS) {
			return json_error(e, v, "more than 6 conditions");
		}
		r = read_arg(item, &args[(*ret_n)++], e);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* libseccomp takes one condition per argument in a rule; the specification means that several on the
 * same argument are alternatives (as runc and crun read it), each a rule of its own. */
static bool repeats_argument(const struct scmp_arg_cmp *args, unsigned n)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < n; i++) {
		if (seen & 1U << args[i].arg) {
			return true;
		}
		seen |= 1U << args[i].arg;
	}
	return false;
}

static int add_name(scmp_filter_ctx ctx, uint32_t action, const char *name,
	const struct scmp_arg_cmp *args, unsigned n)
{
	int nr = seccomp_syscall_resolve_name(name);
	int r = 0;

	if (nr == __NR_SCMP_ERROR) {
		return 0; /* newer than this libseccomp: the default action holds */
	}
	if (!repeats_argument(args, n)) {
		return seccomp_rule_add_array(ctx, action, nr, n, args);
	}
	for (unsigned i = 0; i < n && r == 0; i++) {
		r = seccomp_rule_add_array(ctx, action, nr, 1, &args[i]);
	}
	return r;
}

static int add_rule(
	scmp_filter_ctx ctx, const struct json *v, uint32_t default_action, struct err *e)
{
	static const struct json_field fields[] = {
		{"names", json_read_strv, offsetof(struct rule, names), JSON_REQUIRED},
		{"action", json_read_str, offsetof(struct rule, action), JSON_REQUIRED},
		{"errnoRet", json_read_opt_u64, offsetof(struct rule, errno_ret), JSON_OPTIONAL},
		{"args", json_read_array_node, offsetof(struct rule, args), JSON_OPTIONAL},
		{},
	};
	struct scmp_arg_cmp args[SYSCALL_ARGS];
	struct rule rule = {};
	uint32_t action = 0;
	unsigned n = 0;
	int r = json_read(v, fields, JSON_UNKNOWN_ALLOWED, &rule, e);

	if (r == 0 && parse_action(rule.action, &rule.errno_ret, &action) < 0) {
		r = json_error(e, json_get(v, "action"), "unknown action '%.40s'", rule.action);
	}
	if (r == 0) {
		r = read_args(rule.args, args, &n, e);
	}
	for (const char **name = rule.names; r == 0 && *name && action != default_action; name++) {
		r = add_name(ctx, action, *name, args, n);
		if (r < 0) {
			r = json_error(e, v, "rule for '%.60s': %s", *name, err_text(-r));
		}
	}
	free(rule.names);
	return r;
}

static int add_architectures(scmp_filter_ctx ctx, const char **names, struct err *e)
{
	for (; names && *names; names++) {
		char lower[32];
		uint32_t arch;
		size_t n = strlen(*names);
		int r;

		if (strncmp(*names, "SCMP_ARCH_", 10) != 0 || n - 10 >= sizeof(lower)) {
			return err_member(e, -EINVAL, ".linux.seccomp.architectures",
				"unknown architecture '%.40s'", *names);
		}
		for (size_t i = 10; i <= n; i++) {
			char c = (*names)[i];

			lower[i - 10] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
		}
		arch = seccomp_arch_resolve_name(lower);
		if (arch == 0) {
			continue; /* unknown to this libseccomp, so no program of it can run here */
		}
		r = seccomp_arch_add(ctx, arch);
		if (r < 0 && r != -EEXIST) {
			return err_code(e, r, "seccomp architecture '%s'", *names);
		}
	}
	return 0;
}

static int read_flags(const char **names, unsigned *ret, struct err *e)
{
	static const struct {
		const char *name;
		unsigned flag;
	} flags[] = {
		{"SECCOMP_FILTER_FLAG_TSYNC", 0}, /* one thread: nothing to synchronise */
		{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
		{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	};

	*ret = 0;
	for (; names && *names; names++) {
		size_t i = 0;

		while (i < ARRAY_LEN(flags) && strcmp(flags[i].name, *names) != 0) {
			i++;
		}
		if (i == ARRAY_LEN(flags)) {
			return err_member(
				e, -EINVAL, ".linux.seccomp.flags", "unknown flag '%.40s'", *names);
		}
		*ret |= flags[i].flag;
	}
	return 0;
}

static int export_program(scmp_filter_ctx ctx, struct seccomp_program *ret, struct err *e)
{
	_cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0) {
		return err_errno(e, "make a memory file");
	}
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0) {
		return err_code(e, r, "generate the seccomp program");
	}
	if (fstat(fd, &st) < 0) {
		return err_errno(e, "stat the seccomp program");
	}
	ret->filter = malloc((size_t)st.st_size);
	if (!ret->filter || pread(fd, ret->filter, (size_t)st.st_size, 0) != st.st_size) {
		return err_set(e, -EIO, "read the seccomp program");
	}
	ret->count = (size_t)st.st_size / sizeof(struct sock_filter);
	return 0;
}

static int fill(
	scmp_filter_ctx ctx, const struct profile *profile, uint32_t default_action, struct err *e)
{
	const struct json *item;
	int r = add_architectures(ctx, profile->architectures, e);

	/* The specification leaves no_new_privs to process.noNewPrivileges. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* binary tree */
	if (r < 0 || !profile->syscalls) {
		return r;
	}
	json_each(item, profile->syscalls)
	{
		r = add_rule(ctx, item, default_action, e);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int compile_profile(const struct json *config, struct profile *profile,
	struct seccomp_program *program, struct err *e)
{
	static const struct json_field fields[] = {
		{"defaultAction", json_read_str, offsetof(struct profile, default_action),
			JSON_REQUIRED},
		{"defaultErrnoRet", json_read_opt_u64, offsetof(struct profile, default_errno),
			JSON_OPTIONAL},
		{"architectures", json_read_strv, offsetof(struct profile, architectures),
			JSON_OPTIONAL},
		{"flags", json_read_strv, offsetof(struct profile, flags), JSON_OPTIONAL},
		{"syscalls", json_read_array_node, offsetof(struct profile, syscalls),
			JSON_OPTIONAL},
		{},
	};
	scmp_filter_ctx ctx;
	uint32_t action;
	int r = json_read(config, fields, JSON_UNKNOWN_ALLOWED, profile, e);

	if (r == 0) {
		r = read_flags(profile->flags, &program->flags, e);
	}
	if (r < 0) {
		return r;
	}
	if (parse_action(profile->default_action, &profile->default_errno, &action) < 0) {
		return json_error(e, json_get(config, "defaultAction"), "unknown action '%.40s'",
			profile->default_action);
	}
	ctx = seccomp_init(action);
	if (!ctx) {
		return err_set(e, -EINVAL, "seccomp: the default action is refused");
	}
	r = fill(ctx, profile, action, e);
	if (r == 0) {
		r = export_program(ctx, program, e);
	}
	seccomp_release(ctx);
	return r;
}

int seccomp_compile(const struct json *config, struct seccomp_program *ret, struct err *e)
{
	struct seccomp_program program = {};
	struct profile profile = {};
	int r = compile_profile(config, &profile, &program, e);

	free(profile.architectures);
	free(profile.flags);
	if (r < 0) {
		seccomp_program_done(&program);
		return r;
	}
	*ret = program;
	return 0;
}

int seccomp_install(const struct seccomp_program *program, struct err *e)
{
	struct sock_fprog prog = {.len = (unsigned short)program->count, .filter = program->filter};

	if (!program->filter) {
		return 0;
	}
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, program->flags, &prog) < 0) {
		return err_errno(e, "load the seccomp filter");
	}
	return 0;
}

void seccomp_program_done(struct seccomp_program *program)
{
	free(program->filter);
	*program = (struct seccomp_program){};
}
