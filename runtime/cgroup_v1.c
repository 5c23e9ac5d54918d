/* v1 and hybrid: one directory per hierarchy. Kernel documentation, admin-guide/cgroup-v1. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

/* The directory of a controller, or -1. */
static int controller_dir(const struct cgroup *cg, const char *controller)
{
	size_t len = strlen(controller);

	for (size_t i = 0; i < cg->n; i++) {
		const char *at = cg->h[i].name;

		while (*at && !cg->h[i].v2) {
			size_t n = strcspn(at, ",");

			if (n == len && memcmp(at, controller, n) == 0) {
				return cg->h[i].dir;
			}
			at += n + (at[n] == ',');
		}
	}
	return -1;
}

static int need_dir(const struct cgroup *cg, const char *controller, int *ret, struct err *e)
{
	*ret = controller_dir(cg, controller);
	return *ret >= 0 ? 0
			 : err_set(e, -ENOENT, "cgroup controller '%s' is not mounted", controller);
}

/* A fresh cpuset has no CPUs and no memory nodes, and takes no process until it has. */
static int inherit_cpuset(int parent, int dir, const char *file, struct err *e)
{
	_cleanup_buf_ struct buf mine = {}, theirs = {};
	int r = files_read(dir, file, 4096, &mine, e);

	if (r < 0 || (mine.n && mine.p[0] != '\n')) {
		return r;
	}
	r = files_read(parent, file, 4096, &theirs, e);
	if (r < 0 || !buf_str(&theirs)) {
		return r < 0 ? r : -ENOMEM;
	}
	return cgroup_write(dir, file, theirs.p, e);
}

static int make_component(struct cgroup_hierarchy *h, int *at, const char *name, struct err *e)
{
	_cleanup_close_ int dir = -1;
	int r = 0;

	if (mkdirat(*at, name, 0755) < 0 && errno != EEXIST) {
		return err_errno(e, "make cgroup '%s' in '%s'", name, h->name);
	}
	dir = openat(*at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0) {
		return err_errno(e, "open cgroup '%s' in '%s'", name, h->name);
	}
	if (!h->v2 && strncmp(h->name, "cpuset", 6) == 0) {
		r = inherit_cpuset(*at, dir, "cpuset.cpus", e);
		if (r == 0) {
			r = inherit_cpuset(*at, dir, "cpuset.mems", e);
		}
	}
	if (*at != h->root) {
		close_fd(at);
	}
	*at = take_fd(&dir);
	return r;
}

static int make_components(struct cgroup_hierarchy *h, const char *path, struct err *e)
{
	char copy[512], *rest = copy, *name;
	int at = h->root, r = 0;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	while (r == 0 && (name = strsep(&rest, "/"))) {
		if (*name) {
			r = make_component(h, &at, name, e);
		}
	}
	if (at != h->root) {
		h->dir = at;
	}
	return r;
}

/* Mostly all but the last directory is there. A fresh cpuset needs what its parents have. */
static int make_hierarchy(struct cgroup_hierarchy *h, const char *path, struct err *e)
{
	bool cpuset = !h->v2 && strncmp(h->name, "cpuset", 6) == 0;
	int r = 0;

	if (!cpuset && mkdirat(h->root, path, 0755) == 0) {
		h->dir = openat(h->root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (h->dir < 0) {
		r = make_components(h, path, e);
	}
	if (r < 0 || h->v2) {
		return r;
	}
	h->tasks = openat(h->dir, "tasks", O_WRONLY | O_CLOEXEC);
	return h->tasks < 0 ? err_errno(e, "open 'tasks' of cgroup '/%s'", path) : 0;
}

static int create(struct cgroup *cg, struct err *e)
{
	for (size_t i = 0; i < cg->n; i++) {
		int r = make_hierarchy(&cg->h[i], cg->path, e);

		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* memory.limit_in_bytes must never pass memory.memsw.limit_in_bytes: raise swap first, lower last. */
static int set_memory_and_swap(int dir, int64_t limit, int64_t swap, struct err *e)
{
	static const char limit_file[] = "memory.limit_in_bytes";
	static const char swap_file[] = "memory.memsw.limit_in_bytes";
	bool accounted = faccessat(dir, swap_file, F_OK, 0) == 0;
	int r;

	if (!accounted || swap == 0) {
		return limit ? cgroup_write_i64(dir, limit_file, limit, e) : 0;
	}
	r = limit ? cgroup_write_i64(dir, limit_file, limit, NULL) : 0;
	if (r < 0) { /* the old swap limit is below the new limit */
		r = cgroup_write_i64(dir, swap_file, swap, e);
		return r < 0 ? r : cgroup_write_i64(dir, limit_file, limit, e);
	}
	return cgroup_write_i64(dir, swap_file, swap, e);
}

static int apply_memory(const struct cgroup *cg, const struct spec_resources *r, struct err *e)
{
	int dir, s;

	if (!r->memory.limit.set && !r->memory.swap.set && !r->memory.reservation.set &&
		!r->memory.swappiness.set && !r->memory.disable_oom_killer.set) {
		return 0;
	}
	s = need_dir(cg, "memory", &dir, e);
	if (s == 0) {
		s = set_memory_and_swap(dir, r->memory.limit.set ? r->memory.limit.v : 0,
			r->memory.swap.set ? r->memory.swap.v : 0, e);
	}
	if (s == 0 && r->memory.reservation.set && r->memory.reservation.v) {
		s = cgroup_write_i64(dir, "memory.soft_limit_in_bytes", r->memory.reservation.v, e);
	}
	if (s == 0 && r->memory.swappiness.set) {
		s = cgroup_write_i64(dir, "memory.swappiness", (int64_t)r->memory.swappiness.v, e);
	}
	if (s == 0 && r->memory.disable_oom_killer.set && r->memory.disable_oom_killer.v) {
		s = cgroup_write_i64(dir, "memory.oom_control", 1, e);
	}
	return s;
}

/* The period first when it grows, last when the old quota would not fit; the kernel checks both. */
static int apply_quota(int dir, const struct spec_resources *r, struct err *e)
{
	int s = 0;

	if (r->cpu.period.set && r->cpu.period.v) {
		s = cgroup_write_i64(dir, "cpu.cfs_period_us", (int64_t)r->cpu.period.v, e);
	}
	if (s == 0 && r->cpu.quota.set && r->cpu.quota.v) {
		s = cgroup_write_i64(dir, "cpu.cfs_quota_us", r->cpu.quota.v, e);
	}
	return s;
}

static int apply_cpu(const struct cgroup *cg, const struct spec_resources *r, struct err *e)
{
	int dir, s = 0;

	if (r->cpu.shares.set || r->cpu.quota.set || r->cpu.period.set) {
		s = need_dir(cg, "cpu", &dir, e);
		if (s == 0 && r->cpu.shares.set && r->cpu.shares.v) {
			s = cgroup_write_i64(dir, "cpu.shares", (int64_t)r->cpu.shares.v, e);
		}
		if (s == 0) {
			s = apply_quota(dir, r, e);
		}
	}
	if (s == 0 && ((r->cpu.cpus && *r->cpu.cpus) || (r->cpu.mems && *r->cpu.mems))) {
		s = need_dir(cg, "cpuset", &dir, e);
		if (s == 0 && r->cpu.cpus && *r->cpu.cpus) {
			s = cgroup_write(dir, "cpuset.cpus", r->cpu.cpus, e);
		}
		if (s == 0 && r->cpu.mems && *r->cpu.mems) {
			s = cgroup_write(dir, "cpuset.mems", r->cpu.mems, e);
		}
	}
	return s;
}

static int apply_pids(const struct cgroup *cg, const struct spec_resources *r, struct err *e)
{
	int dir, s;

	if (!r->pids.set) {
		return 0;
	}
	s = need_dir(cg, "pids", &dir, e);
	if (s < 0) {
		return s;
	}
	/* below 0: no limit; 0 means 1 as with runc, since the process itself counts */
	return r->pids.v < 0 ? cgroup_write(dir, "pids.max", "max", e)
			     : cgroup_write_i64(dir, "pids.max", r->pids.v ? r->pids.v : 1, e);
}

static void put_number(char *to, size_t n, const struct opt_i64 *v)
{
	if (v->set && v->v >= 0) {
		(void)snprintf(to, n, "%" PRId64, v->v);
	} else {
		(void)snprintf(to, n, "*");
	}
}

/* The two files, open over all rules. */
struct device_files {
	int allow, deny; /* owned */
};

static int write_device(const struct device_files *files, const struct spec_device_rule *rule,
	const char *type, struct err *e)
{
	char major[24], minor[24], line[80] = "a";

	put_number(major, sizeof(major), &rule->major);
	put_number(minor, sizeof(minor), &rule->minor);
	if (strcmp(type, "a") != 0) {
		(void)snprintf(line, sizeof(line), "%s %s:%s %s", type, major, minor,
			rule->access && *rule->access ? rule->access : "rwm");
	}
	return write(rule->allow ? files->allow : files->deny, line, strlen(line)) < 0
		       ? err_errno(e, "cgroup: write '%s' to 'devices.%s'", line,
				 rule->allow ? "allow" : "deny")
		       : 0;
}

/* To the kernel "a" means everything, whatever stands after it. */
static int apply_device(
	const struct device_files *files, const struct spec_device_rule *rule, struct err *e)
{
	const char *type = rule->type ? rule->type : "a";
	bool all = !(rule->major.set && rule->major.v >= 0) &&
		   !(rule->minor.set && rule->minor.v >= 0) &&
		   (!rule->access || !*rule->access || strlen(rule->access) == 3);
	int r;

	if (strcmp(type, "a") != 0 || all) {
		return write_device(files, rule, type, e);
	}
	r = write_device(files, rule, "b", e);
	return r < 0 ? r : write_device(files, rule, "c", e);
}

/* As with runc what no rule allows is denied, without any rule too. */
static int apply_devices(const struct cgroup *cg, const struct spec_resources *r, struct err *e)
{
	static const struct spec_device_rule nothing = {.allow = false};
	int dir = controller_dir(cg, "devices"), s = 0;
	size_t basic_n;
	const struct spec_device_rule *basic = devices_basic_rules(&basic_n);
	_cleanup_close_ int allow = -1;
	_cleanup_close_ int deny = -1;
	struct device_files files;

	if (dir < 0) {
		return 0;
	}
	allow = openat(dir, "devices.allow", O_WRONLY | O_CLOEXEC);
	deny = openat(dir, "devices.deny", O_WRONLY | O_CLOEXEC);
	if (allow < 0 || deny < 0) {
		return err_errno(e, "cgroup: open 'devices.allow'");
	}
	files = (struct device_files){.allow = allow, .deny = deny};
	if (r->devices.n == 0 || spec_at(r->devices, struct spec_device_rule, 0)->allow) {
		s = apply_device(&files, &nothing, e);
	}
	for (size_t i = 0; i < r->devices.n && s == 0; i++) {
		s = apply_device(&files, spec_at(r->devices, struct spec_device_rule, i), e);
	}
	for (size_t i = 0; i < basic_n && s == 0; i++) {
		s = apply_device(&files, &basic[i], e);
	}
	return s;
}

static int apply(const struct cgroup *cg, const struct spec_resources *r, struct err *e)
{
	int s = apply_memory(cg, r, e);

	if (s == 0) {
		s = apply_cpu(cg, r, e);
	}
	if (s == 0) {
		s = apply_pids(cg, r, e);
	}
	if (s == 0 && r->unified && r->unified->count) {
		s = err_member(e, -EINVAL, ".linux.resources.unified",
			"needs cgroup v2, this host has v1");
	}
	return s < 0 ? s : apply_devices(cg, r, e);
}

static void kill_pid(pid_t pid, void *ctx)
{
	(void)kill(pid, *(int *)ctx);
}

/* Frozen while the list is read: nobody forks away between reading and killing. */
static int kill_all(const struct cgroup *cg, int signal, struct err *e)
{
	int freezer = controller_dir(cg, "freezer");
	int r;

	if (freezer >= 0) {
		(void)cgroup_write(freezer, "freezer.state", "FROZEN", NULL);
	}
	r = cgroup_each_pid(cg, kill_pid, &signal, e);
	if (freezer >= 0) {
		(void)cgroup_write(freezer, "freezer.state", "THAWED", NULL);
	}
	for (size_t i = 0; i < cg->n; i++) {
		if (cg->h[i].v2 && cg->h[i].dir >= 0) {
			(void)cgroup_write(cg->h[i].dir, "cgroup.freeze", "0", NULL);
		}
	}
	return r;
}

const struct cgroup_backend cgroup_backend_v1 = {
	.name = "v1",
	.create = create,
	.apply = apply,
	.kill = kill_all,
};
