/* v2: one tree. Kernel documentation, admin-guide/cgroup-v2.rst. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/cgroup.h"
#include "runtime/devices_bpf.h"
#include "runtime/spec.h"

static bool has_word(const struct buf *text, const char *word)
{
	size_t len = strlen(word);
	const char *at = text->p;

	for (size_t left = text->n; left >= len; at++, left--) {
		bool begins = at == text->p || at[-1] == ' ';
		bool ends = left == len || at[len] == ' ' || at[len] == '\n';

		if (begins && ends && memcmp(at, word, len) == 0) {
			return true;
		}
	}
	return false;
}

/* Enables for the children of dir every controller that it has. One write each: the kernel refuses
 * a list as a whole when one of it cannot be. Read first: most are there already. */
static int enable_controllers(int dir, struct err *e)
{
	static const char *const wanted[] = {"cpu", "memory", "pids", "cpuset", "io", "hugetlb"};
	_cleanup_buf_ struct buf have = {}, enabled = {};
	int r = files_read(dir, "cgroup.controllers", 4096, &have, e);

	if (r == 0) {
		r = files_read(dir, "cgroup.subtree_control", 4096, &enabled, e);
	}
	for (size_t i = 0; i < ARRAY_LEN(wanted) && r == 0; i++) {
		char text[32];

		if (!have.n || !has_word(&have, wanted[i]) ||
			(enabled.n && has_word(&enabled, wanted[i]))) {
			continue;
		}
		(void)snprintf(text, sizeof(text), "+%s", wanted[i]);
		/* tolerated: what a limit needs and cannot have is reported when it is written */
		(void)cgroup_write(dir, "cgroup.subtree_control", text, NULL);
	}
	return r;
}

static int create(struct cgroup *cg, struct err *e)
{
	struct cgroup_hierarchy *h = &cg->h[0];
	char copy[512], *rest = copy, *name;
	_cleanup_close_ int at = -1;

	if (cg->n == 0) {
		return err_set(e, -ENOENT, "cgroup v2 is not mounted");
	}
	at = openat(h->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(copy, sizeof(copy), "%s", cg->path);
	while (at >= 0 && (name = strsep(&rest, "/"))) {
		int next, r;

		if (!*name || strcmp(name, ".") == 0) {
			continue;
		}
		r = enable_controllers(at, e);
		if (r < 0) {
			return r;
		}
		if (mkdirat(at, name, 0755) < 0 && errno != EEXIST) {
			return err_errno(e, "make cgroup '%s'", name);
		}
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close_fd(&at);
		at = next;
	}
	if (at < 0) {
		return err_errno(e, "open cgroup '/%s'", cg->path);
	}
	h->dir = take_fd(&at);
	return 0;
}

static int write_limit(int dir, const char *file, int64_t value, struct err *e)
{
	return value < 0 ? cgroup_write(dir, file, "max", e)
			 : cgroup_write_i64(dir, file, value, e);
}

/* OCI's swap is memory and swap together, v2's is swap alone. */
static int apply_memory(int dir, const struct spec_resources *r, struct err *e)
{
	const struct opt_i64 *limit = &r->memory.limit, *swap = &r->memory.swap;
	int s = 0;

	if (swap->set && swap->v) {
		int64_t alone = swap->v;

		if (swap->v > 0 && limit->set && limit->v > 0) {
			alone = swap->v - limit->v;
			if (alone < 0) {
				return err_member(e, -EINVAL, ".linux.resources.memory.swap",
					"is below the memory limit");
			}
		}
		s = write_limit(dir, "memory.swap.max", alone, e);
		if (s == -ENOENT && alone <= 0) {
			s = 0; /* a kernel without swap accounting, and none or all is asked for */
		}
	}
	if (s == 0 && limit->set && limit->v) {
		s = write_limit(dir, "memory.max", limit->v, e);
	}
	if (s == 0 && r->memory.reservation.set && r->memory.reservation.v) {
		s = write_limit(dir, "memory.low", r->memory.reservation.v, e);
	}
	return s;
}

/* shares 2..262144 to weight 1..10000. A straight line, which runtimes used for years, makes 39 of the
 * default of 1024 shares; this curve goes through (2,1), (1024,100) and (262144,10000) in logarithms,
 * so that a container that asks for the default gets the default. */
int64_t cgroup_weight_of_shares(uint64_t shares)
{
	double l = log2((double)shares);

	if (shares <= 2) {
		return 1;
	}
	if (shares >= 262144) {
		return 10000;
	}
	return (int64_t)ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0));
}

static int apply_cpu(int dir, const struct spec_resources *r, struct err *e)
{
	int s = 0;

	if (r->cpu.shares.set && r->cpu.shares.v) {
		s = cgroup_write_i64(
			dir, "cpu.weight", cgroup_weight_of_shares(r->cpu.shares.v), e);
	}
	if (s == 0 && (r->cpu.quota.set || r->cpu.period.set)) {
		uint64_t period = r->cpu.period.set && r->cpu.period.v ? r->cpu.period.v : 100'000;
		char text[64];

		if (r->cpu.quota.set && r->cpu.quota.v > 0) {
			(void)snprintf(
				text, sizeof(text), "%" PRId64 " %" PRIu64, r->cpu.quota.v, period);
		} else {
			(void)snprintf(text, sizeof(text), "max %" PRIu64, period);
		}
		s = cgroup_write(dir, "cpu.max", text, e);
	}
	if (s == 0 && r->cpu.cpus && *r->cpu.cpus) {
		s = cgroup_write(dir, "cpuset.cpus", r->cpu.cpus, e);
	}
	if (s == 0 && r->cpu.mems && *r->cpu.mems) {
		s = cgroup_write(dir, "cpuset.mems", r->cpu.mems, e);
	}
	return s;
}

static int apply_unified(int dir, const struct json *unified, struct err *e)
{
	const struct json *v;

	json_each(v, unified)
	{
		const char *value;
		int r = json_read_str(v, &value, e);

		if (r < 0) {
			return r;
		}
		if (strchr(v->key, '/') || strncmp(v->key, "cgroup.", 7) == 0) {
			return json_error(e, v, "is not a resource file");
		}
		r = cgroup_write(dir, v->key, value, e);
		if (r < 0) {
			return err_wrap(e, r, ".linux.resources.unified");
		}
	}
	return 0;
}

static int apply_devices(int dir, const struct spec_resources *r, struct err *e)
{
	int s = devices_bpf_attach(dir, r->devices.items, r->devices.n, e);

	/* Without root the kernel takes no such program; nor can devices be made then. */
	return s == -EPERM && geteuid() != 0 ? 0 : s;
}

static int apply(const struct cgroup *cg, const struct spec_resources *r, struct err *e)
{
	int dir = cg->h[0].dir;
	int s = apply_memory(dir, r, e);

	if (s == 0) {
		s = apply_cpu(dir, r, e);
	}
	if (s == 0 && r->pids.set) {
		s = write_limit(dir, "pids.max", r->pids.v == 0 ? 1 : r->pids.v, e);
	}
	if (s == 0 && r->unified) {
		s = apply_unified(dir, r->unified, e);
	}
	return s < 0 ? s : apply_devices(dir, r, e);
}

static void kill_pid(pid_t pid, void *ctx)
{
	(void)kill(pid, *(int *)ctx);
}

static int kill_all(const struct cgroup *cg, int signal, struct err *e)
{
	/* cgroup.kill: Linux 5.14; takes forks along */
	if (signal == SIGKILL && cg->n && cg->h[0].dir >= 0 &&
		cgroup_write(cg->h[0].dir, "cgroup.kill", "1", NULL) == 0) {
		return 0;
	}
	return cgroup_each_pid(cg, kill_pid, &signal, e);
}

const struct cgroup_backend cgroup_backend_v2 = {
	.name = "v2",
	.create = create,
	.apply = apply,
	.kill = kill_all,
};
