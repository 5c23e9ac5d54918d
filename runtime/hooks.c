#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/hooks.h"
#include "runtime/spec.h"

static void exec_hook(const struct spec_hook *hook, int in, struct err *e)
{
	static const char *const no_env[] = {NULL};
	const char *args[2] = {hook->path, NULL};
	const char *const *argv = hook->args && hook->args[0] ? hook->args : args;

	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* the runtime blocks what it forwards */
	(void)setpgid(0, 0);			     /* so that the whole group can be killed */
	if (dup2(in, STDIN_FILENO) < 0 || close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
		(void)err_errno(e, "hook '%s'", hook->path);
		return;
	}
	(void)execve(hook->path, (char *const *)(uintptr_t)argv,
		(char *const *)(uintptr_t)(hook->env ? (const char *const *)hook->env : no_env));
	(void)err_errno(e, "hook '%s'", hook->path);
}

static int wait_hook(const struct spec_hook *hook, pid_t pid, int pidfd, struct err *e)
{
	int64_t seconds = hook->timeout.set ? hook->timeout.v : HOOK_DEADLINE_SECONDS;
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	siginfo_t info = {};
	int ready;

	seconds = seconds > 86400 ? 86400 : seconds;
	do {
		ready = poll(&p, 1, (int)seconds * 1000);
	} while (ready < 0 && errno == EINTR);
	if (ready == 0) {
		(void)kill(-pid, SIGKILL);
		(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	}
	if (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0) {
		return err_errno(e, "wait for hook '%s'", hook->path);
	}
	if (ready == 0) {
		return err_set(e, -ETIMEDOUT, "hook '%s': no end within %lld seconds", hook->path,
			(long long)seconds);
	}
	if (info.si_code != CLD_EXITED || info.si_status != 0) {
		return err_set(e, -ECANCELED, "hook '%s': %s %d", hook->path,
			info.si_code == CLD_EXITED ? "exit status" : "signal", info.si_status);
	}
	return 0;
}

static int start_hook(const struct spec_hook *hook, int in, int report, pid_t *ret)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct err failure = {};

		exec_hook(hook, in, &failure);
		(void)err_send(report, &failure);
		_exit(127);
	}
	*ret = pid;
	return pid < 0 ? -errno : 0;
}

/* A socket, not a pipe, for stdin: a hook that does not read must not raise SIGPIPE here. */
static int run_hook(const struct spec_hook *hook, struct slice state, struct err *e)
{
	_cleanup_close_ int pidfd = -1;
	_cleanup_close_ int near = -1;
	_cleanup_close_ int far = -1;
	int in[2], report[2], r;
	struct err failure;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0) {
		return err_errno(e, "hook '%s'", hook->path);
	}
	near = in[0];
	far = in[1];
	if (pipe2(report, O_CLOEXEC) < 0) {
		return err_errno(e, "hook '%s'", hook->path);
	}
	r = start_hook(hook, far, report[1], &pid);
	close_fd(&report[1]);
	close_fd(&far);
	if (r == 0) {
		pidfd = pidfd_open(pid, 0);
		(void)send(near, state.p, state.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)shutdown(near, SHUT_WR);
		if (err_recv(report[0], &failure) == 1) { /* closed by a successful exec */
			(void)waitid(P_PID, (id_t)pid, &(siginfo_t){}, WEXITED);
			r = err_set(e, -failure.code, "%s", failure.msg);
		} else {
			r = wait_hook(hook, pid, pidfd, e);
		}
	} else {
		(void)err_code(e, r, "hook '%s'", hook->path);
	}
	close_fd(&report[0]);
	return r;
}

int hooks_run(const struct spec_vec *hooks, const char *kind, struct slice state, struct err *e)
{
	for (size_t i = 0; i < hooks->n; i++) {
		int r = run_hook(spec_at(*hooks, struct spec_hook, i), state, e);

		if (r < 0) {
			return err_wrap(e, r, "%s hook %zu", kind, i);
		}
	}
	return 0;
}
