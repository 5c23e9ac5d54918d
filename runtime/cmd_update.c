#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/json.h"
#include "runtime/cgroup.h"
#include "runtime/commands.h"
#include "runtime/spec.h"
#include "runtime/target.h"

struct args {
	const char *resources;
	const char *memory, *swap, *reservation;
	const char *shares, *quota, *period, *cpus, *mems;
	const char *pids;
	const char *unused; /* taken for compatibility */
};

static const struct cli_option options[] = {
	{"resources", 'r', CLI_STRING, offsetof(struct args, resources), "FILE",
		"LinuxResources as JSON; - for standard input"},
	{"memory", 0, CLI_STRING, offsetof(struct args, memory), "BYTES", "limit; -1: none"},
	{"memory-swap", 0, CLI_STRING, offsetof(struct args, swap), "BYTES",
		"limit of memory and swap together; -1: none"},
	{"memory-reservation", 0, CLI_STRING, offsetof(struct args, reservation), "BYTES",
		"soft limit"},
	{"cpu-share", 0, CLI_STRING, offsetof(struct args, shares), "N", "2..262144"},
	{"cpu-quota", 0, CLI_STRING, offsetof(struct args, quota), "USEC",
		"in every period; -1: no limit"},
	{"cpu-period", 0, CLI_STRING, offsetof(struct args, period), "USEC", "of the quota"},
	{"cpuset-cpus", 0, CLI_STRING, offsetof(struct args, cpus), "LIST", "CPUs"},
	{"cpuset-mems", 0, CLI_STRING, offsetof(struct args, mems), "LIST", "memory nodes"},
	{"pids-limit", 0, CLI_STRING, offsetof(struct args, pids), "N", "processes; -1: no limit"},
	{"kernel-memory", 0, CLI_STRING, offsetof(struct args, unused), "BYTES",
		"taken for compatibility"},
	{"kernel-memory-tcp", 0, CLI_STRING, offsetof(struct args, unused), "BYTES",
		"taken for compatibility"},
	{},
};

static const struct cli cli = {
	.usage = "fief update [options] ID",
	.about = "Changes the limits of a container; what is not named stays.",
	.options = options,
};

/* Empty, as some callers pass it, is not given. */
static int read_number(const char *name, const char *text, struct opt_i64 *ret, struct err *e)
{
	bool minus = text && text[0] == '-';
	unsigned long n;
	int r;

	if (!text || !*text) {
		return 0;
	}
	r = cli_number(text + minus, INT64_MAX, &n, e);
	if (r < 0) {
		return err_wrap(e, r, "--%s", name);
	}
	*ret = (struct opt_i64){.set = true, .v = minus ? -(int64_t)n : (int64_t)n};
	return 0;
}

static int read_unsigned(const char *name, const char *text, struct opt_u64 *ret, struct err *e)
{
	struct opt_i64 n = {};
	int r = read_number(name, text, &n, e);

	if (r == 0 && n.set && n.v < 0) {
		return err_set(e, -EINVAL, "--%s: must not be negative", name);
	}
	if (n.set) {
		*ret = (struct opt_u64){.set = true, .v = (uint64_t)n.v};
	}
	return r;
}

static int from_options(const struct args *args, struct spec_resources *res, struct err *e)
{
	const struct {
		const char *name, *text;
		struct opt_i64 *to;
	} numbers[] = {
		{"memory", args->memory, &res->memory.limit},
		{"memory-swap", args->swap, &res->memory.swap},
		{"memory-reservation", args->reservation, &res->memory.reservation},
		{"cpu-quota", args->quota, &res->cpu.quota},
		{"pids-limit", args->pids, &res->pids},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(numbers) && r == 0; i++) {
		r = read_number(numbers[i].name, numbers[i].text, numbers[i].to, e);
	}
	if (r == 0) {
		r = read_unsigned("cpu-share", args->shares, &res->cpu.shares, e);
	}
	if (r == 0) {
		r = read_unsigned("cpu-period", args->period, &res->cpu.period, e);
	}
	res->cpu.cpus = args->cpus ? args->cpus : res->cpu.cpus;
	res->cpu.mems = args->mems ? args->mems : res->cpu.mems;
	return r;
}

static int load(
	const struct args *args, struct json_doc **doc, struct spec_resources *res, struct err *e)
{
	const char *path = args->resources;
	int r;

	if (!path || !*path) {
		return 0;
	}
	r = json_load(AT_FDCWD, strcmp(path, "-") == 0 ? "/dev/stdin" : path, NULL, doc, e);
	if (r == 0) {
		r = spec_resources_read(json_root(*doc), res, e);
	}
	return r;
}

static int check_status(const struct target *t, struct err *e)
{
	enum container_status status = state_status(t->dir, &t->state);

	return status == STATUS_STOPPED || status == STATUS_CREATING
		       ? err_set(e, -ESRCH, "container not running")
		       : 0;
}

int cmd_update(const struct global *global, int argc, char **argv, struct err *e)
{
	_cleanup_target_ struct target t = TARGET_NONE;
	_cleanup_json_ struct json_doc *doc = NULL;
	struct spec_resources res = {};
	struct args args = {};
	int r, at = command_line(&cli, argc, argv, &args);
	struct cgroup cg;

	if (at < 0) {
		return command_over(at);
	}
	if (argc - at != 1) {
		return err_set(e, -EINVAL, "update needs exactly one container id");
	}
	r = load(&args, &doc, &res, e);
	if (r == 0) {
		r = from_options(&args, &res, e);
	}
	if (r == 0) {
		r = target_open(global, argv[at], &t, e);
	}
	if (r == 0) {
		r = check_status(&t, e);
	}
	if (r == 0) {
		r = target_cgroup(&t, &cg, e);
	}
	if (r == 0) {
		r = cgroup_apply(&cg, &res, e);
		cgroup_done(&cg);
	}
	spec_resources_done(&res);
	return r;
}
