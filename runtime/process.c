#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/caps.h"
#include "runtime/labels.h"
#include "runtime/process.h"
#include "runtime/seccomp.h"
#include "runtime/spec.h"

static_assert(sizeof(gid_t) == sizeof(uint32_t), "gids are passed to setgroups as they are");

static const char *env_value(const char *const *env, const char *name)
{
	size_t n = strlen(name);
	const char *found = NULL;

	for (; env && *env; env++) {
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=') {
			found = *env + n + 1; /* the last one wins, as in shells */
		}
	}
	return found;
}

static int try_program(const char *path, struct program *ret)
{
	struct stat st;

	if (strlen(path) >= sizeof(ret->path)) {
		return -ENAMETOOLONG;
	}
	if (stat(path, &st) < 0) {
		return -errno;
	}
	if (S_ISDIR(st.st_mode)) {
		return -EISDIR;
	}
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0) {
		return -errno;
	}
	memcpy(ret->path, path, strlen(path) + 1);
	return 0;
}

static int search_path(const char *name, const char *path, struct program *ret)
{
	int worst = -ENOENT;

	while (*path) {
		size_t n = strcspn(path, ":");
		char full[PATH_MAX];
		int len = snprintf(
			full, sizeof(full), "%.*s/%s", n ? (int)n : 1, n ? path : ".", name);
		int r = len > 0 && (size_t)len < sizeof(full) ? try_program(full, ret) : -ENOENT;

		if (r == 0) {
			return 0;
		}
		worst = r == -EACCES ? r : worst;
		path += n + (path[n] == ':');
	}
	return worst;
}

static int find_program(const struct spec_process *p, struct program *ret, struct err *e)
{
	const char *name = p->args[0];
	const char *path = env_value((const char *const *)p->env, "PATH");
	int r;

	ret->argv = (char *const *)(uintptr_t)p->args;
	ret->envp = (char *const *)(uintptr_t)p->env;
	if (strchr(name, '/')) {
		r = try_program(name, ret);
		return r < 0 ? err_set(e, r, "exec: \"%s\": stat %s: %s", name, name, err_text(-r))
			     : 0;
	}
	r = search_path(name,
		path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ret);
	if (r == -ENOENT) {
		return err_set(e, r, "exec: \"%s\": executable file not found in $PATH", name);
	}
	return r < 0 ? err_set(e, r, "exec: \"%s\": %s", name, err_text(-r)) : 0;
}

int process_check_preserved(unsigned n, struct err *e)
{
	for (unsigned i = 0; i < n; i++) {
		if (fcntl(3 + (int)i, F_GETFD) < 0) {
			return err_errno(e, "descriptor %u is to be preserved", 3 + i);
		}
	}
	return 0;
}

int process_new_keyring(struct err *e)
{
	/* anonymous: one with a name might be joined by a container of the same name elsewhere */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS) {
		return err_errno(e, "make a session keyring (see --no-new-keyring)");
	}
	return 0;
}

static int set_user(const struct spec_process *p, struct err *e)
{
	/* stdio was opened by the caller; a process that re-opens /dev/stdout must own its terminal */
	for (int fd = 0; fd < 3; fd++) {
		if (isatty(fd)) {
			(void)!fchown(fd, p->uid, (gid_t)-1);
		}
	}
	/* setgroups(2) is refused where "deny" is written to /proc/PID/setgroups: rootless only */
	if (setgroups(p->gids.n, p->gids.n ? p->gids.items : NULL) < 0 &&
		(p->gids.n || errno != EPERM)) {
		return err_errno(e, "set the additional groups");
	}
	if (setresgid(p->gid, p->gid, p->gid) < 0) {
		return err_errno(e, "set group %u", p->gid);
	}
	if (setresuid(p->uid, p->uid, p->uid) < 0) {
		return err_errno(e, "set user %u", p->uid);
	}
	(void)umask(p->umask.set ? (mode_t)(p->umask.v & 0777) : 022);
	return 0;
}

/* As the user: a directory that the user cannot enter is an error, with the container's root too. A
 * working directory outside the root would be a way out (CVE-2024-21626). */
static int enter_cwd(const struct spec_process *p, struct err *e)
{
	char where[PATH_MAX];
	long n;

	if (chdir(p->cwd) < 0) {
		return err_errno(e, "chdir to cwd (\"%s\") set in config.json failed", p->cwd);
	}
	n = syscall(SYS_getcwd, where, sizeof(where));
	if (n <= 0 || where[0] != '/') {
		return err_set(e, -ENOENT, "cwd '%s' is outside of the container's root", p->cwd);
	}
	return 0;
}

int process_become(const struct spec_process *p, const struct seccomp_program *seccomp,
	struct program *ret, uint64_t *ret_missing, struct err *e)
{
	int r = labels_apply(p, e);

	if (r < 0) {
		return r;
	}
	if (p->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return err_errno(e, "set no_new_privs");
	}
	r = caps_limit_bounding(&p->caps, e);
	if (r == 0) {
		r = caps_keep_over_setuid(e);
	}
	if (r == 0 && !p->no_new_privileges) {
		r = seccomp_install(seccomp, e); /* needs CAP_SYS_ADMIN, which goes now */
	}
	if (r == 0) {
		r = set_user(p, e);
	}
	if (r == 0) {
		r = enter_cwd(p, e);
	}
	if (r == 0) {
		r = caps_apply(&p->caps, ret_missing, e);
	}
	return r < 0 ? r : find_program(p, ret, e);
}

static int rlimit_error(const struct spec_rlimit *limit, const struct rlimit64 *own, struct err *e)
{
	return err_errno(e,
		"set %s to %" PRIu64 ":%" PRIu64 " (the runtime's own is %" PRIu64 ":%" PRIu64 ")",
		limit->name, limit->soft, limit->hard, (uint64_t)own->rlim_cur,
		(uint64_t)own->rlim_max);
}

/* Soft limits alone differ from what process_raise_rlimits() has checked. */
static int set_rlimits(const struct spec_process *p, struct err *e)
{
	for (size_t i = 0; i < p->rlimits.n; i++) {
		const struct spec_rlimit *limit = spec_at(p->rlimits, struct spec_rlimit, i);
		struct rlimit64 value = {.rlim_cur = limit->soft, .rlim_max = limit->hard};
		struct rlimit64 own = {};

		if (prlimit64(0, (__rlimit_resource_t)limit->resource, &value, &own) < 0) {
			return rlimit_error(limit, &own, e);
		}
	}
	return 0;
}

int process_exec(const struct program *program, const struct spec_process *p,
	const struct seccomp_program *seccomp, unsigned preserve_fds, struct err *e)
{
	static char *const no_env[] = {NULL};
	sigset_t none;
	int r = 0;

	/* a foreground runtime blocks signals to forward them; that must not be inherited */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (close_range(3 + preserve_fds, ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
		return err_errno(e, "mark descriptors");
	}
	for (unsigned i = 0; i < preserve_fds; i++) {
		(void)fcntl(3 + (int)i, F_SETFD, 0);
	}
	r = set_rlimits(p, e);
	if (r == 0 && p->no_new_privileges) {
		r = seccomp_install(seccomp, e);
	}
	if (r < 0) {
		return r;
	}
	(void)execve(program->path, program->argv, program->envp ? program->envp : no_env);
	return err_errno(e, "exec %s", program->path);
}

int process_raise_rlimits(pid_t pid, const struct spec_process *p, struct err *e)
{
	for (size_t i = 0; i < p->rlimits.n; i++) {
		const struct spec_rlimit *limit = spec_at(p->rlimits, struct spec_rlimit, i);
		__rlimit_resource_t resource = (__rlimit_resource_t)limit->resource;
		struct rlimit64 own, raised;

		if (prlimit64(0, resource, NULL, &own) < 0) {
			return err_errno(e, "read %s", limit->name);
		}
		raised = (struct rlimit64){.rlim_cur = own.rlim_cur, .rlim_max = limit->hard};
		if (limit->hard > own.rlim_max && prlimit64(pid, resource, &raised, NULL) < 0) {
			return rlimit_error(limit, &own, e);
		}
	}
	return 0;
}

int process_set_oom_score(pid_t pid, const struct spec_process *p, struct err *e)
{
	char path[40], text[24];

	if (!p->oom_score_adj.set) {
		return 0;
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	(void)snprintf(text, sizeof(text), "%" PRId64, p->oom_score_adj.v);
	return files_write_control(AT_FDCWD, path, text, e);
}
