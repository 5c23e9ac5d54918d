/* The end of a container: everything it had on the host goes, whatever state it was left in. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "runtime/cgroup.h"
#include "runtime/create.h"
#include "runtime/hooks.h"
#include "runtime/spec.h"
#include "runtime/state.h"

enum { KILL_DEADLINE_MSEC = 10'000 };

/* A frozen process of v1 does not even die of SIGKILL. */
static void kill_frozen(const struct cgroup *cg)
{
	if (cgroup_frozen(cg)) {
		(void)cg->backend->kill(cg, SIGKILL, NULL);
	}
}

static int kill_process(const struct state *state, const struct cgroup *cg, struct err *e)
{
	_cleanup_close_ int pidfd = state_open_process(state, NULL);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0) {
		return 0;
	}
	if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH) {
		return err_errno(e, "kill process %d", (int)state->pid);
	}
	kill_frozen(cg);
	if (poll(&p, 1, KILL_DEADLINE_MSEC) == 0) {
		return err_set(e, -ETIMEDOUT,
			"process %d does not end within %d seconds of SIGKILL", (int)state->pid,
			KILL_DEADLINE_MSEC / 1000);
	}
	(void)waitid(P_PIDFD, (id_t)pidfd, &(siginfo_t){}, WEXITED | WNOHANG); /* if it is ours */
	return 0;
}

static int kill_and_remove(const struct state *state, struct err *e)
{
	struct cgroup cg = {};
	int r = 0;

	if (!state->no_cgroup && *state->cgroup_path) {
		r = cgroup_reopen(&cg, state->cgroup_path, e);
	}
	if (r == 0) {
		r = kill_process(state, &cg, e);
	}
	if (r == 0 && cg.n) {
		r = cgroup_remove(&cg, e);
	}
	cgroup_done(&cg);
	return r;
}

/* A failure of a poststop hook is logged and changes nothing (runtime.md "Lifecycle", step 13). */
static void run_poststop(const struct state *state)
{
	_cleanup_close_ int bundle = open(state->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_spec_ struct spec *spec = NULL;
	_cleanup_buf_ struct buf text = {};
	struct err e = {};

	if (bundle < 0 || spec_load(bundle, "config.json", &spec, NULL) < 0) {
		return;
	}
	state_to_json(state, STATUS_STOPPED, false, &text);
	if (hooks_run(&spec->hooks[HOOK_POSTSTOP], "poststop", buf_slice(&text), &e) < 0) {
		log_warning("%s", e.msg);
	}
}

int container_destroy(int root_fd, const char *id, bool run_hooks, struct err *e)
{
	_cleanup_close_ int dir = state_dir_open(root_fd, id, e);
	struct state state;
	int r;

	if (dir < 0) {
		return dir;
	}
	/* Killed before the first write: there was nothing but the directory yet. */
	if (state_load(dir, &state, NULL) < 0) {
		return state_dir_remove(root_fd, id, e);
	}
	r = kill_and_remove(&state, e);
	if (r == 0 && run_hooks) {
		run_poststop(&state);
	}
	state_done(&state);
	return r < 0 ? r : state_dir_remove(root_fd, id, e);
}
