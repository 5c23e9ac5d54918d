/*
 * The container's first process, from the clone to its program. Runs inside the new namespaces with
 * the host's file system still around it until rootfs_enter(). Every failure goes to the parent as
 * one message; the order of the steps is fixed by the kernel, as the comments say.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/console.h"
#include "runtime/hooks.h"
#include "runtime/launch.h"
#include "runtime/process.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"
#include "runtime/state.h"
#include "runtime/sync.h"
#include "runtime/sysctl.h"

static int become_root_of_userns(const struct launch *l, struct err *e)
{
	bool user = spec_namespace(l->spec, CLONE_NEWUSER) != NULL;

	/* id 0 of the namespace: owner of what is made from here on */
	if (user && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)) {
		return err_errno(e, "become root of the user namespace (is id 0 mapped?)");
	}
	return 0;
}

static int set_names(const struct spec *spec, struct err *e)
{
	if (spec->hostname && sethostname(spec->hostname, strlen(spec->hostname)) < 0) {
		return err_errno(e, "set hostname '%s'", spec->hostname);
	}
	if (spec->domainname && setdomainname(spec->domainname, strlen(spec->domainname)) < 0) {
		return err_errno(e, "set domainname '%s'", spec->domainname);
	}
	return 0;
}

static int enter_namespaces(struct launch *l, struct err *e)
{
	/* First of all: a process that allocates in its parent's cgroup is charged there for ever. */
	int late, r = l->use_cgroup ? cgroup_join(&l->cgroup, e) : 0;

	if (r == 0) {
		r = sync_expect(l->sync, SYNC_GO, NULL, e); /* mappings are there */
	}
	if (r == 0) {
		r = namespaces_join_mount(&l->namespaces, e);
	}
	if (r == 0) {
		r = become_root_of_userns(l, e);
	}
	if (r < 0) {
		return r;
	}
	/* After the cgroup was joined: it becomes the root of the cgroup namespace. */
	late = l->namespaces.late | (l->namespaces.new_cgroup ? CLONE_NEWCGROUP : 0);
	if (late && unshare(late) < 0) {
		return err_errno(e, "make the cgroup namespace");
	}
	if (setsid() < 0 && errno != EPERM) {
		return err_errno(e, "make a session");
	}
	r = l->new_keyring ? process_new_keyring(e) : 0;
	if (r == 0) {
		r = set_names(l->spec, e);
	}
	return r == 0 && l->namespaces.new_network ? namespaces_loopback_up(e) : r;
}

/* The pid is the one that hooks see in their pid namespace, which is ours. */
static int run_hooks(const struct launch *l, enum hook_kind kind, const char *name,
	enum container_status status, struct err *e)
{
	_cleanup_buf_ struct buf text = {};
	struct state state = *l->state;

	if (!l->spec->hooks[kind].n) {
		return 0;
	}
	state.pid = getpid();
	state_to_json(&state, status, false, &text);
	return hooks_run(&l->spec->hooks[kind], name, buf_slice(&text), e);
}

static int run_parent_hooks(struct launch *l, struct err *e)
{
	if (!l->spec->hooks[HOOK_PRESTART].n && !l->spec->hooks[HOOK_CREATE_RUNTIME].n) {
		return 0;
	}
	if (sync_send(l->sync, SYNC_HOOKS, 0) < 0) {
		return err_set(e, -EPIPE, "the runtime is gone");
	}
	return sync_expect(l->sync, SYNC_GO, NULL, e);
}

static int set_up_console(struct launch *l, const struct rootfs *rootfs, struct err *e)
{
	const struct spec_process *p = l->spec->process;
	_cleanup_(console_done) struct console c = {.master = -1, .slave = -1};
	int r;

	if (!p || !p->terminal) {
		return 0;
	}
	r = console_open(rootfs->root, &c, e);
	if (r == 0) {
		console_set_size(c.master, p->rows, p->columns);
		r = console_bind(rootfs->root, &c, e);
	}
	if (r == 0) {
		r = console_send(l->console, c.master, e);
	}
	return r < 0 ? r : console_attach(&c, e);
}

static int build(struct launch *l, struct err *e)
{
	struct rootfs rootfs = {.root = -1, .old_root = -1};
	int r = rootfs_build(l->spec, &l->plan, &l->trees, &rootfs, e);

	if (r == 0) {
		r = run_parent_hooks(l, e);
	}
	if (r == 0) {
		r = run_hooks(l, HOOK_CREATE_CONTAINER, "createContainer", STATUS_CREATING, e);
	}
	if (r == 0) {
		r = set_up_console(l, &rootfs, e);
	}
	if (r == 0) {
		r = sysctl_apply(l->spec, e);
	}
	if (r == 0) {
		r = rootfs_restrict(l->spec, &l->plan, &rootfs, e);
	}
	return r < 0 ? r : rootfs_enter(l->spec, &rootfs, e);
}

static int wait_for_start(struct launch *l, int *ret_caller, struct err *e)
{
	unsigned first = 3 + l->preserve_fds;

	if (l->start_listener < 0) {
		*ret_caller = l->sync;
		return 0;
	}
	/* While it waits it holds nothing of the host: no directory that a process of the container
	 * could find in /proc/1/fd (CVE-2024-21626), no pipe whose reader waits for its end. Closing
	 * the sync channel tells the runtime that it can go. */
	if (l->start_listener != (int)first && dup3(l->start_listener, (int)first, O_CLOEXEC) < 0) {
		return err_errno(e, "keep 'start.sock'");
	}
	l->start_listener = (int)first;
	if (close_range(first + 1, ~0U, 0) < 0) {
		return err_errno(e, "close descriptors");
	}
	do {
		*ret_caller = accept4(l->start_listener, NULL, NULL, SOCK_CLOEXEC);
	} while (*ret_caller < 0 && errno == EINTR);
	return *ret_caller < 0 ? err_errno(e, "wait for start") : 0;
}

static int set_up(struct launch *l, struct program *program, struct err *e)
{
	uint64_t missing = 0;
	int r = enter_namespaces(l, e);

	if (r == 0) {
		r = build(l, e);
	}
	if (r == 0 && l->spec->personality.set && personality(l->spec->personality.persona) < 0) {
		r = err_errno(e, "set personality");
	}
	if (r == 0 && !l->spec->process) {
		r = err_member(e, -EINVAL, ".process", "is missing");
	}
	if (r == 0) {
		r = process_become(l->spec->process, &l->seccomp, program, &missing, e);
	}
	if (r == 0 && sync_send(l->sync, SYNC_READY, (int64_t)missing) < 0) {
		r = err_set(e, -EPIPE, "the runtime is gone");
	}
	return r < 0 ? r : sync_expect(l->sync, SYNC_GO, NULL, e);
}

void init_run(struct launch *l)
{
	struct program program;
	struct err failure = {};
	int caller = l->sync;

	/* Dies with the runtime until the container is a container of its own. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (set_up(l, &program, &failure) < 0) {
		sync_send_failure(l->sync, &failure);
		_exit(1);
	}
	(void)prctl(PR_SET_PDEATHSIG, 0);
	if (wait_for_start(l, &caller, &failure) < 0 ||
		run_hooks(l, HOOK_START_CONTAINER, "startContainer", STATUS_CREATED, &failure) <
			0 ||
		process_exec(&program, l->spec->process, &l->seccomp, l->preserve_fds, &failure) <
			0) {
		sync_send_failure(caller, &failure);
	}
	_exit(1);
}
