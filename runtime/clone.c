#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/clone.h"
#include "runtime/sync.h"

/* As fork(2): 0 in the child. Raw, since glibc's wrappers know no clone3; this process has one
 * thread and the child uses no state of glibc that a fork would have to mend. */
static pid_t clone3_raw(uint64_t flags, int cgroup_fd, int *pidfd)
{
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
	};

	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP; /* Linux 5.7 */
		args.cgroup = (uint64_t)(unsigned)cgroup_fd;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* The intermediate process: joins the user namespace, so that the new namespaces belong to it, and
 * clones the child as its own sibling. */
static int run_stage(const struct clone_request *request, int report)
{
	struct err failure = {};
	int pidfd = -1;
	pid_t pid;

	/* Here and not in the parent: this process must see the child's pid as the parent does. */
	if (request->pid_fd >= 0 && setns(request->pid_fd, CLONE_NEWPID) < 0) {
		(void)err_errno(&failure, "join the pid namespace");
		sync_send_failure(report, &failure);
		_exit(1);
	}
	if (setns(request->user_fd, CLONE_NEWUSER) < 0) {
		(void)err_errno(&failure, "join the user namespace");
		sync_send_failure(report, &failure);
		_exit(1);
	}
	pid = clone3_raw(request->flags | CLONE_PARENT, -1, &pidfd);
	if (pid == 0) {
		return CLONE_IN_CHILD;
	}
	if (pid < 0) {
		(void)err_errno(&failure, "clone");
		sync_send_failure(report, &failure);
		_exit(1);
	}
	(void)sync_send(report, SYNC_PID, pid);
	_exit(0);
}

static int clone_in_userns(const struct clone_request *request, struct child *ret, struct err *e)
{
	_cleanup_close_ int near = -1;
	_cleanup_close_ int far = -1;
	_cleanup_close_ int stage_fd = -1;
	int fds[2], r = sync_pair(fds, e);
	int64_t pid;
	pid_t stage;

	if (r < 0) {
		return r;
	}
	near = fds[0];
	far = fds[1];
	stage = clone3_raw(0, request->cgroup_fd, &stage_fd);
	if (stage == 0) {
		return run_stage(request, far);
	}
	if (stage < 0) {
		return err_errno(e, "clone");
	}
	close_fd(&far);
	r = sync_expect(near, SYNC_PID, &pid, e);
	(void)waitid(P_PIDFD, (id_t)stage_fd, &(siginfo_t){}, WEXITED);
	if (r < 0) {
		return r;
	}
	ret->pid = (pid_t)pid;
	ret->pidfd = pidfd_open(ret->pid, 0);
	return ret->pidfd < 0 ? err_errno(e, "open the child") : 0;
}

int clone_child(const struct clone_request *request, struct child *ret, struct err *e)
{
	pid_t pid;

	if (request->user_fd >= 0) {
		return clone_in_userns(request, ret, e);
	}
	if (request->pid_fd >= 0 && setns(request->pid_fd, CLONE_NEWPID) < 0) {
		return err_errno(e, "join the pid namespace");
	}
	ret->pidfd = -1;
	pid = clone3_raw(request->flags, request->cgroup_fd, &ret->pidfd);
	if (pid == 0) {
		return CLONE_IN_CHILD;
	}
	if (pid < 0) {
		return err_errno(e, "clone");
	}
	ret->pid = pid;
	return 0;
}
