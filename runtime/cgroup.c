/* What v1 and v2 share: finding the hierarchies, paths, joining, removing. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/cgroup.h"
#include "runtime/spec.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"

int cgroup_write(int dir, const char *file, const char *value, struct err *e)
{
	int r = files_write_control(dir, file, value, e);

	return r < 0 ? err_wrap(e, r, "cgroup") : 0;
}

int cgroup_write_i64(int dir, const char *file, int64_t value, struct err *e)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	return cgroup_write(dir, file, text, e);
}

/* "12:cpu,cpuacct:/path" or "0::/path" of /proc/self/cgroup. *ret is filled but for descriptors. */
static bool parse_line(char *line, struct cgroup_hierarchy *ret)
{
	char *controllers = strchr(line, ':');
	char *own = controllers ? strchr(controllers + 1, ':') : NULL;
	const char *name;

	if (!own || own[1] != '/') {
		return false;
	}
	*controllers++ = '\0';
	*own++ = '\0';
	name = strncmp(controllers, "name=", 5) == 0 ? controllers + 5 : controllers;
	*ret = (struct cgroup_hierarchy){.root = -1, .dir = -1, .tasks = -1, .v2 = !*controllers};
	if (strlen(name) >= sizeof(ret->name) || strlen(own) >= sizeof(ret->own)) {
		return false;
	}
	(void)snprintf(ret->name, sizeof(ret->name), "%s", ret->v2 ? "unified" : name);
	(void)snprintf(ret->own, sizeof(ret->own), "%s", own);
	return true;
}

/* A hierarchy that is not mounted at its usual place is left out: nobody can use it by path. */
static void add_hierarchy(struct cgroup *cg, int mounts, struct cgroup_hierarchy *h, bool unified)
{
	struct statfs fs;

	if (cg->n == CGROUP_HIERARCHIES_MAX || (unified && !h->v2)) {
		return;
	}
	if (unified) {
		h->name[0] = '\0';
	}
	h->root = openat(mounts, unified ? "." : h->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (h->root < 0) {
		return;
	}
	if (fstatfs(h->root, &fs) < 0 ||
		(fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC)) {
		close_fd(&h->root);
		return;
	}
	cg->h[cg->n++] = *h;
}

static int find_hierarchies(struct cgroup *cg, struct err *e)
{
	_cleanup_close_ int mounts = open(CGROUP_MOUNT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_buf_ struct buf text = {};
	struct statfs fs;
	bool unified;
	char *line, *rest;
	int r;

	*cg = (struct cgroup){};
	if (mounts < 0 || fstatfs(mounts, &fs) < 0) {
		return err_errno(e, "open '%s'", CGROUP_MOUNT);
	}
	unified = fs.f_type == CGROUP2_SUPER_MAGIC;
	cg->backend = unified ? &cgroup_backend_v2 : &cgroup_backend_v1;
	r = files_read(AT_FDCWD, "/proc/self/cgroup", 64 << 10, &text, e);
	if (r < 0) {
		return r;
	}
	if (!buf_str(&text)) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	for (rest = text.p; (line = strsep(&rest, "\n"));) {
		struct cgroup_hierarchy h;

		if (parse_line(line, &h)) {
			add_hierarchy(cg, mounts, &h, unified);
		}
	}
	return 0;
}

static bool dir_frozen(int dir, bool v2)
{
	_cleanup_buf_ struct buf text = {};

	return files_read(dir, v2 ? "cgroup.freeze" : "freezer.state", 64, &text, NULL) == 0 &&
	       text.n && (text.p[0] == '1' || text.p[0] == 'F'); /* "1", "FROZEN", "FREEZING" */
}

int cgroup_check_path(const char *path, struct err *e)
{
	for (const char *at = path; *at;) {
		size_t n = strcspn(at, "/");

		if ((n == 2 && at[0] == '.' && at[1] == '.') || (n == 1 && at[0] == '.')) {
			return err_member(e, -EINVAL, ".linux.cgroupsPath", "'%.200s' holds '%.*s'",
				path, (int)n, at);
		}
		at += n + strspn(at + n, "/");
	}
	return 0;
}

/* The base of relative paths: on v2 a cgroup with processes cannot have controllers for its
 * children, so containers become siblings of the caller, as with runc. */
static int base_path(const struct cgroup *cg, char *base, size_t n)
{
	const char *own = cg->n ? cg->h[0].own : "/";
	const char *end;

	/* v1 hierarchies may differ; the memory hierarchy decides, so that one path serves all. */
	for (size_t i = 0; i < cg->n; i++) {
		if (strcmp(cg->h[i].name, "memory") == 0) {
			own = cg->h[i].own;
		}
	}
	end = own + strlen(own);
	if (cg->n && cg->h[0].name[0] == '\0') {
		end = strrchr(own, '/');
	}
	return snprintf(base, n, "%.*s", (int)(end - own), own);
}

int cgroup_open(struct cgroup *cg, const char *asked, const char *id, struct err *e)
{
	char base[256] = "";
	int n, r = find_hierarchies(cg, e);

	if (r == 0 && asked) {
		r = cgroup_check_path(asked, e);
	}
	if (r < 0) {
		cgroup_done(cg);
		return r;
	}
	if (!asked || asked[0] != '/') {
		(void)base_path(cg, base, sizeof(base));
	}
	n = snprintf(cg->path, sizeof(cg->path), "%s/%s", base, asked && *asked ? asked : id);
	if (n < 0 || (size_t)n >= sizeof(cg->path)) {
		cgroup_done(cg);
		return err_member(e, -ENAMETOOLONG, ".linux.cgroupsPath", "too long");
	}
	n = (int)strspn(cg->path, "/");
	memmove(cg->path, cg->path + n, strlen(cg->path) + 1 - (size_t)n);
	if (!cg->path[0]) {
		cgroup_done(cg);
		return err_member(
			e, -EINVAL, ".linux.cgroupsPath", "the root cgroup is not a container's");
	}
	return 0;
}

/* What is in it would be limited by the container's limits and killed with it. */
int cgroup_check_unused(const struct cgroup *cg, struct err *e)
{
	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_hierarchy *h = &cg->h[i];
		_cleanup_close_ int dir = -1;
		_cleanup_buf_ struct buf text = {};

		if (!h->v2 && strcmp(h->name, "pids") != 0) {
			continue; /* one hierarchy with all processes is enough */
		}
		dir = files_open_beneath(h->root, cg->path, O_RDONLY | O_DIRECTORY, 0, NULL);
		if (dir >= 0 && files_read(dir, "cgroup.procs", 1 << 20, &text, NULL) != 0) {
			continue; /* EOPNOTSUPP: threaded; the kernel refuses to join */
		}
		if (text.n) {
			return err_set(
				e, -EBUSY, "container's cgroup is not empty: '/%s'", cg->path);
		}
		if (dir >= 0 && dir_frozen(dir, h->v2)) {
			return err_set(e, -EBUSY, "cgroup '/%s' is frozen", cg->path);
		}
	}
	return 0;
}

int cgroup_reopen(struct cgroup *cg, const char *path, struct err *e)
{
	int r = find_hierarchies(cg, e);

	if (r < 0) {
		cgroup_done(cg);
		return r;
	}
	(void)snprintf(cg->path, sizeof(cg->path), "%s", path);
	for (size_t i = 0; i < cg->n; i++) {
		int dir = files_open_beneath(
			cg->h[i].root, cg->path, O_RDONLY | O_DIRECTORY, 0, NULL);

		cg->h[i].dir = dir < 0 ? -1 : dir;
	}
	return 0;
}

void cgroup_done(struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++) {
		close_fd(&cg->h[i].root);
		close_fd(&cg->h[i].dir);
		close_fd(&cg->h[i].tasks);
	}
	cg->n = 0;
}

int cgroup_create(struct cgroup *cg, struct err *e)
{
	return cg->backend->create(cg, e);
}

int cgroup_apply(const struct cgroup *cg, const struct spec_resources *r, struct err *e)
{
	return cg->backend->apply(cg, r, e);
}

int cgroup_frozen(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_hierarchy *h = &cg->h[i];

		if (h->dir >= 0 && (h->v2 || strcmp(h->name, "freezer") == 0) &&
			dir_frozen(h->dir, h->v2)) {
			return 1;
		}
	}
	return 0;
}

static int open_hierarchy(int mounts, const char *name)
{
	_cleanup_close_ int root = openat(mounts, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (root < 0 || fstatfs(root, &fs) < 0 ||
		(fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC)) {
		return -1;
	}
	return take_fd(&root);
}

int cgroup_path_frozen(const char *path)
{
	static const struct {
		const char *name;
		bool v2;
	} places[] = {{".", true}, {"freezer", false}, {"unified", true}};
	_cleanup_close_ int mounts = open(CGROUP_MOUNT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < ARRAY_LEN(places) && mounts >= 0; i++) {
		_cleanup_close_ int root = open_hierarchy(mounts, places[i].name);
		_cleanup_close_ int dir = -1;

		if (root < 0) {
			continue;
		}
		dir = files_open_beneath(root, path, O_RDONLY | O_DIRECTORY, 0, NULL);
		if (dir >= 0 && dir_frozen(dir, places[i].v2)) {
			return 1;
		}
		if (i == 0) {
			return 0; /* v2 alone */
		}
	}
	return 0;
}

int cgroup_open_existing(struct cgroup *cg, struct err *e)
{
	for (size_t i = 0; i < cg->n; i++) {
		struct cgroup_hierarchy *h = &cg->h[i];

		if (h->dir < 0) {
			return err_set(e, -ENOENT, "cgroup '/%s' is gone", cg->path);
		}
		if (!h->v2) {
			h->tasks = openat(h->dir, "tasks", O_WRONLY | O_CLOEXEC);
			if (h->tasks < 0) {
				return err_errno(e, "open 'tasks' of cgroup '/%s'", cg->path);
			}
		}
	}
	return cgroup_frozen(cg) ? err_set(e, -EBUSY, "cgroup '/%s' is frozen", cg->path) : 0;
}

int cgroup_clone_fd(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++) {
		if (cg->h[i].v2) {
			return cg->h[i].dir;
		}
	}
	return -1;
}

int cgroup_open_procs(struct cgroup *cg, struct err *e)
{
	for (size_t i = 0; i < cg->n; i++) {
		struct cgroup_hierarchy *h = &cg->h[i];

		if (h->v2 && h->tasks < 0) {
			h->tasks = openat(h->dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
			if (h->tasks < 0) {
				return err_errno(
					e, "open 'cgroup.procs' of cgroup '/%s'", cg->path);
			}
		}
	}
	return 0;
}

int cgroup_join(const struct cgroup *cg, struct err *e)
{
	for (size_t i = 0; i < cg->n; i++) {
		if (cg->h[i].tasks >= 0 && write(cg->h[i].tasks, "0", 1) < 0) {
			return err_errno(e, "join cgroup '/%s' of '%s'", cg->path, cg->h[i].name);
		}
	}
	return 0;
}

static int each_pid_of(int dir, void (*on_pid)(pid_t pid, void *ctx), void *ctx)
{
	_cleanup_buf_ struct buf text = {.limit = 64 << 20};
	char *line, *rest;

	if (files_read(dir, "cgroup.procs", 32 << 20, &text, NULL) < 0 || !buf_str(&text)) {
		return -EIO;
	}
	for (rest = text.p; (line = strsep(&rest, "\n"));) {
		long pid = strtol(line, NULL, 10);

		if (pid > 0) {
			on_pid((pid_t)pid, ctx);
		}
	}
	return 0;
}

static int walk(
	int dir, unsigned depth, int (*visit)(int dir, const char *name, void *ctx), void *ctx)
{
	_cleanup_close_ int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *entries = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *d;

	if (!entries || depth > 64) {
		return -EIO;
	}
	copy = -1; /* owned by entries */
	while ((d = readdir(entries))) {
		_cleanup_close_ int sub = -1;

		if (d->d_type != DT_DIR || d->d_name[0] == '.') {
			continue;
		}
		sub = openat(dir, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0) {
			(void)walk(sub, depth + 1, visit, ctx);
			(void)visit(dir, d->d_name, ctx);
		}
	}
	return 0;
}

struct pid_walk {
	void (*on_pid)(pid_t pid, void *ctx);
	void *ctx;
};

static int visit_pids(int dir, const char *name, void *ctx)
{
	_cleanup_close_ int sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct pid_walk *w = ctx;

	return sub < 0 ? 0 : each_pid_of(sub, w->on_pid, w->ctx);
}

/* The hierarchy whose process list is complete and cheapest: v2, else pids, else the first. */
static const struct cgroup_hierarchy *pid_hierarchy(const struct cgroup *cg)
{
	const struct cgroup_hierarchy *best = NULL;

	for (size_t i = 0; i < cg->n; i++) {
		if (cg->h[i].dir >= 0 &&
			(!best || cg->h[i].v2 || strcmp(cg->h[i].name, "pids") == 0)) {
			best = &cg->h[i];
		}
	}
	return best;
}

int cgroup_each_pid(
	const struct cgroup *cg, void (*on_pid)(pid_t pid, void *ctx), void *ctx, struct err *e)
{
	const struct cgroup_hierarchy *h = pid_hierarchy(cg);
	struct pid_walk w = {.on_pid = on_pid, .ctx = ctx};

	if (!h) {
		return err_set(e, -ENOENT, "cgroup '/%s' is gone", cg->path);
	}
	if (each_pid_of(h->dir, on_pid, ctx) < 0) {
		return err_set(e, -EIO, "read the processes of cgroup '/%s'", cg->path);
	}
	(void)walk(h->dir, 0, visit_pids, &w);
	return 0;
}

static int visit_rmdir(int dir, const char *name, void *ctx)
{
	(void)ctx;
	return unlinkat(dir, name, AT_REMOVEDIR);
}

static int remove_hierarchy(struct cgroup_hierarchy *h, const char *path)
{
	if (h->dir < 0) {
		return 0;
	}
	if (unlinkat(h->root, path, AT_REMOVEDIR) < 0 && errno == EBUSY) {
		(void)walk(h->dir, 0, visit_rmdir, NULL);
		if (unlinkat(h->root, path, AT_REMOVEDIR) < 0 && errno != ENOENT) {
			return -errno;
		}
	}
	close_fd(&h->dir);
	return 0;
}

static int remove_all(struct cgroup *cg)
{
	int worst = 0;

	for (size_t i = 0; i < cg->n; i++) {
		int r = remove_hierarchy(&cg->h[i], cg->path);

		worst = r < 0 ? r : worst;
	}
	return worst;
}

/* The directory of a scope in the hierarchy that systemd watches belongs to systemd: it ends the unit
 * when the last process is gone and removes the directory itself. Were it removed first, the unit
 * would stay for ever. */
static bool left_to_systemd(const struct cgroup *cg)
{
	size_t n = strlen(cg->path);

	if (n < 6 || strcmp(cg->path + n - 6, ".scope") != 0) {
		return false;
	}
	for (size_t i = 0; i < cg->n; i++) {
		bool watched = cg->h[i].v2 || strcmp(cg->h[i].name, "systemd") == 0;

		if (watched && cg->h[i].dir >= 0 &&
			faccessat(cg->h[i].root, cg->path, F_OK, 0) == 0) {
			return true;
		}
	}
	return false;
}

/* Waits in growing steps: there is no event for what is waited for. */
struct patience {
	struct timespec pause;
	long waited; /* milliseconds */
};

static void wait_a_little(struct patience *p)
{
	(void)nanosleep(&p->pause, NULL);
	p->waited += p->pause.tv_nsec / 1'000'000 + 1;
	p->pause.tv_nsec = p->pause.tv_nsec < 50'000'000 ? p->pause.tv_nsec * 2 : p->pause.tv_nsec;
}

/* A killed process leaves its cgroup only when it is a zombie; v1 has no event for that, so this tries
 * again, for ten seconds at most, of which systemd has the first two. */
int cgroup_remove(struct cgroup *cg, struct err *e)
{
	struct patience p = {.pause = {.tv_nsec = 500'000}};
	int r;

	if (left_to_systemd(cg)) {
		(void)cg->backend->kill(cg, SIGKILL, NULL);
	}
	while (left_to_systemd(cg) && p.waited < 2'000) {
		wait_a_little(&p);
	}
	r = remove_all(cg);
	if (r == -EBUSY) {
		(void)cg->backend->kill(cg, SIGKILL, NULL);
	}
	while (r == -EBUSY && p.waited < 10'000) {
		wait_a_little(&p);
		r = remove_all(cg);
	}
	return r < 0 ? err_code(e, r, "remove cgroup '/%s'", cg->path) : 0;
}
