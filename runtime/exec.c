/*
 * The child is cloned into the cgroup and the pid namespace and joins the other namespaces by the
 * pidfd of the container's process, all at once: user namespace first, as the kernel orders them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/caps.h"
#include "runtime/cgroup.h"
#include "runtime/clone.h"
#include "runtime/console.h"
#include "runtime/exec.h"
#include "runtime/labels.h"
#include "runtime/process.h"
#include "runtime/seccomp.h"
#include "runtime/spec.h"
#include "runtime/state.h"
#include "runtime/sync.h"

struct joining {
	const struct exec_options *o;
	struct state state;
	struct spec *spec; /* owned; of the bundle: seccomp and personality */
	struct seccomp_program seccomp;
	struct cgroup cgroup;
	bool use_cgroup;
	int dir, pidfd, pid_ns;	   /* owned */
	int flags;		   /* namespaces to join */
	int console, console_near; /* owned */
	int sync_near, sync_far;   /* owned */
	struct child child;
};

static int check_status(struct joining *j, struct err *e)
{
	switch (state_status(j->dir, &j->state)) {
	case STATUS_STOPPED:
		return err_set(e, -ESRCH, "cannot exec in a stopped container");
	case STATUS_PAUSED:
		return j->o->ignore_paused ? 0
					   : err_set(e, -EBUSY,
						     "cannot exec in a paused container "
						     "(use --ignore-paused to override)");
	case STATUS_CREATING:
		return err_set(e, -EAGAIN, "cannot exec in a container that is being created");
	case STATUS_CREATED:
	case STATUS_RUNNING:
		return 0;
	}
	return -EINVAL;
}

/* Namespaces that the container shares with us are not joined: for a user namespace that fails. */
static int differing_namespaces(pid_t pid)
{
	static const int flags[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWIPC,
		CLONE_NEWUTS, CLONE_NEWCGROUP};
	int differ = 0;

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		char theirs[64], ours[64];
		struct stat a, b;

		(void)snprintf(theirs, sizeof(theirs), "/proc/%d/ns/%s", (int)pid,
			namespace_proc_name(flags[i]));
		(void)snprintf(
			ours, sizeof(ours), "/proc/self/ns/%s", namespace_proc_name(flags[i]));
		if (stat(theirs, &a) == 0 && stat(ours, &b) == 0 &&
			(a.st_ino != b.st_ino || a.st_dev != b.st_dev)) {
			differ |= flags[i];
		}
	}
	return differ;
}

static int open_container(struct joining *j, struct err *e)
{
	_cleanup_close_ int root_fd = state_root_open(j->o->root, e);
	_cleanup_close_ int bundle = -1;
	char path[40];
	int r;

	j->dir = root_fd < 0 ? root_fd : state_dir_open(root_fd, j->o->id, e);
	if (j->dir < 0) {
		return j->dir;
	}
	r = state_load(j->dir, &j->state, e);
	if (r == 0) {
		r = check_status(j, e);
	}
	if (r < 0) {
		return r;
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)j->state.pid);
	j->pid_ns = open(path, O_RDONLY | O_CLOEXEC);
	j->flags = differing_namespaces(j->state.pid);
	/* after the paths of /proc: it proves that they were of this very process */
	j->pidfd = state_open_process(&j->state, e);
	if (j->pidfd < 0) {
		return j->pidfd;
	}
	bundle = open(j->state.bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return bundle < 0 ? err_errno(e, "bundle '%s'", j->state.bundle)
			  : spec_load(bundle, "config.json", &j->spec, e);
}

static int open_resources(struct joining *j, struct err *e)
{
	int pair[2], r = labels_check(j->o->process, NULL, e);

	if (r < 0) {
		return r;
	}
	if (!j->state.no_cgroup) {
		r = cgroup_reopen(&j->cgroup, j->state.cgroup_path, e);
		if (r == 0) {
			r = cgroup_open_existing(&j->cgroup, e);
		}
		j->use_cgroup = r == 0;
	}
	if (r == 0 && j->spec->seccomp) {
		r = seccomp_compile(j->spec->seccomp, &j->seccomp, e);
	}
	if (r < 0) {
		return r;
	}
	if (j->o->console_socket) {
		j->console = console_connect(j->o->console_socket, e);
		return j->console < 0 ? j->console : 0;
	}
	if (j->o->own_terminal) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
			return err_errno(e, "make a socket pair");
		}
		j->console_near = pair[0];
		j->console = pair[1];
	}
	return 0;
}

static int attach_console(struct joining *j, struct err *e)
{
	_cleanup_(console_done) struct console c = {.master = -1, .slave = -1};
	_cleanup_close_ int root = -1;
	int r;

	if (!j->o->process->terminal) {
		return 0;
	}
	root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = console_open(root, &c, e);
	if (r == 0) {
		console_set_size(c.master, j->o->process->rows, j->o->process->columns);
		r = console_send(j->console, c.master, e);
	}
	return r < 0 ? r : console_attach(&c, e);
}

static int join(struct joining *j, struct program *program, struct err *e)
{
	uint64_t missing = 0;
	int r = j->use_cgroup ? cgroup_join(&j->cgroup, e) : 0;

	if (r == 0) {
		r = sync_expect(j->sync_far, SYNC_GO, NULL, e);
	}
	if (r < 0) {
		return r;
	}
	if (j->flags && setns(j->pidfd, j->flags) < 0) {
		return err_errno(e, "join the namespaces of container '%s'", j->o->id);
	}
	if ((j->flags & CLONE_NEWUSER) && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)) {
		return err_errno(e, "become root of the user namespace");
	}
	r = process_new_keyring(e);
	if (r < 0) {
		return r;
	}
	(void)setsid();
	if (j->spec->personality.set && personality(j->spec->personality.persona) < 0) {
		return err_errno(e, "set personality");
	}
	r = attach_console(j, e);
	if (r == 0) {
		r = process_become(j->o->process, &j->seccomp, program, &missing, e);
	}
	if (r == 0 && missing) {
		(void)sync_send(j->sync_far, SYNC_READY, (int64_t)missing);
	}
	return r;
}

[[gnu::noreturn]] static void child_main(struct joining *j)
{
	struct err failure = {};
	struct program program;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (join(j, &program, &failure) == 0) {
		(void)prctl(PR_SET_PDEATHSIG, 0);
		(void)process_exec(
			&program, j->o->process, &j->seccomp, j->o->preserve_fds, &failure);
	}
	sync_send_failure(j->sync_far, &failure);
	_exit(1);
}

static int start_child(struct joining *j, struct err *e)
{
	struct clone_request request = {
		.user_fd = -1,
		.pid_fd = j->pid_ns,
		.cgroup_fd = j->use_cgroup ? cgroup_clone_fd(&j->cgroup) : -1,
	};
	struct sync_message m;
	int fds[2], r = sync_pair(fds, e);

	if (r < 0) {
		return r;
	}
	j->sync_near = fds[0];
	j->sync_far = fds[1];
	r = clone_child(&request, &j->child, e);
	if (r == CLONE_IN_CHILD) {
		close_fd(&j->sync_near);
		child_main(j);
	}
	close_fd(&j->sync_far);
	if (r == 0) {
		r = process_raise_rlimits(j->child.pid, j->o->process, e);
	}
	if (r == 0) {
		r = process_set_oom_score(j->child.pid, j->o->process, e);
	}
	if (r == 0) {
		r = sync_send(j->sync_near, SYNC_GO, 0);
	}
	if (r == 0) {
		r = sync_receive(j->sync_near, &m, e);
	}
	if (r > 0 && m.type == SYNC_READY) {
		caps_warn_missing((uint64_t)m.value);
		r = sync_receive(j->sync_near, &m, e);
	}
	return r; /* 0: closed by exec */
}

static void joining_done(struct joining *j)
{
	state_done(&j->state);
	cgroup_done(&j->cgroup);
	seccomp_program_done(&j->seccomp);
	j->spec = spec_free(j->spec);
	close_fd(&j->dir);
	close_fd(&j->pidfd);
	close_fd(&j->pid_ns);
	close_fd(&j->console);
	close_fd(&j->console_near);
	close_fd(&j->sync_near);
	close_fd(&j->sync_far);
	close_fd(&j->child.pidfd);
}

int container_exec(const struct exec_options *o, struct executed *ret, struct err *e)
{
	struct joining j = {.o = o,
		.dir = -1,
		.pidfd = -1,
		.pid_ns = -1,
		.console = -1,
		.console_near = -1,
		.sync_near = -1,
		.sync_far = -1,
		.child = {.pidfd = -1}};
	int master = -1;
	int r = process_check_preserved(o->preserve_fds, e);

	if (r == 0) {
		r = open_container(&j, e);
	}

	if (r == 0) {
		r = open_resources(&j, e);
	}
	if (r == 0) {
		r = start_child(&j, e);
	}
	if (r == 0 && j.console_near >= 0) {
		master = console_receive(j.console_near, e);
		r = master < 0 ? master : 0;
	}
	if (r == 0) {
		*ret = (struct executed){
			.pid = j.child.pid, .pidfd = take_fd(&j.child.pidfd), .master = master};
	} else if (j.child.pidfd >= 0) {
		(void)pidfd_send_signal(j.child.pidfd, SIGKILL, NULL, 0);
		(void)waitid(P_PIDFD, (id_t)j.child.pidfd, &(siginfo_t){}, WEXITED);
	}
	joining_done(&j);
	return r < 0 ? r : 0;
}

void executed_done(struct executed *x)
{
	close_fd(&x->pidfd);
	close_fd(&x->master);
}
