#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "shim/keeper_impl.h"

static void on_timer(struct loop_timer *timer)
{
	keeper_post(loop_owner(timer, struct keeper, timer), TIMER);
}

static void on_signal(struct loop_io *io, [[maybe_unused]] uint32_t epoll_events)
{
	struct keeper *k = loop_owner(io, struct keeper, signals);
	struct signalfd_siginfo info;

	while (read(io->fd, &info, sizeof(info)) == sizeof(info)) {
		(void)keeper_stop(k, k->bundle.stop_timeout, NULL);
	}
}

void keeper_describe(struct keeper *k, struct keeper_description *ret)
{
	static const char *const names[STATE_MAX] = {
		[CREATING] = "starting",
		[STARTING] = "starting",
		[ENDED_EARLY] = "starting",
		[RUNNING] = "running",
		[STOPPING] = "stopping",
		[CLEANING] = "stopped",
		[WAITING] = "stopped",
		[OVER] = "stopped",
	};

	/* cgroup v1 has no event for a refused fork: whoever asks gets the counters of now */
	cgroup_watch_read(&k->cgroup);
	*ret = (struct keeper_description){
		.uid = k->bundle.uid,
		.name = k->bundle.name,
		.state = names[k->state],
		.pid = k->init.pid,
		.started = k->started,
		.restarts = k->restarts,
		.oom_kills = k->oom_kills + k->cgroup.oom_kills,
		.pids_hits = k->pids_hits + k->cgroup.pids_hits,
		.has_exit = k->has_exit,
		.exit_status = k->exit_status,
	};
}

static int refuse_unless_running(const struct keeper *k, struct err *e)
{
	if (k->state != RUNNING && k->state != STOPPING) {
		return err_set(e, -ESRCH, "container %s is not running", k->id);
	}
	return 0;
}

int keeper_signal(struct keeper *k, int sig, struct err *e)
{
	int r = refuse_unless_running(k, e);

	if (r == 0 && kill(k->init.pid, sig) < 0) {
		r = err_errno(e, "signal container %s", k->id);
	}
	return r;
}

int keeper_stop(struct keeper *k, uint32_t seconds, struct err *e)
{
	if (k->state == OVER) {
		return err_set(e, -ESRCH, "container %s is not running", k->id);
	}
	k->stop_seconds = seconds;
	keeper_post(k, STOP);
	return 0;
}

uint32_t keeper_stop_timeout(const struct keeper *k)
{
	return k->bundle.stop_timeout;
}

int keeper_session_host(struct keeper *k, struct session_host **ret, struct err *e)
{
	int r = refuse_unless_running(k, e);

	*ret = &k->sessions;
	return r;
}

static int own_mounts(struct err *e)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) {
		return err_errno(e, "make a mount namespace");
	}
	return 0;
}

static int open_log(struct keeper *k, struct err *e)
{
	_cleanup_close_ int dir = files_mkdir_open(k->place.state_fd, "log", 0755, e);

	if (dir < 0) {
		return dir;
	}
	k->log.max = k->bundle.log.size;
	k->log.keep = k->bundle.log.keep;
	return logfile_open(&k->log, take_fd(&dir), "container.log", e);
}

static int open_signals(struct keeper *k, struct err *e)
{
	static const int stop_signals[] = {SIGTERM, SIGINT};

	k->signals =
		(struct loop_io){.fd = loop_signal_fd(stop_signals, 2, e), .on_ready = on_signal};
	return k->signals.fd < 0 ? k->signals.fd : loop_watch(k->loop, &k->signals, EPOLLIN, e);
}

/* A shim that was killed left the runtime with a container, which may have ended since: that one is
 * cleared away. One that runs is refused by the runtime here, and again by its `create`. */
static void clear_ended(const struct keeper *k)
{
	char *const argv[] = {(char *)(uintptr_t)k->options->runtime, (char[]){"--root"},
		(char *)(uintptr_t)k->options->runtime_root, (char[]){"delete"},
		(char *)(uintptr_t)k->id, NULL};
	_cleanup_free_ char *state = NULL;
	pid_t pid;

	if (asprintf(&state, "%s/%s", k->options->runtime_root, k->id) < 0) {
		state = NULL;
	}
	if (!state || access(state, F_OK) < 0) {
		return;
	}
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		for (int i = 0; i < 3; i++) {
			(void)dup2(null, i);
		}
		(void)execv(argv[0], argv);
		_exit(127);
	}
	if (pid > 0) {
		(void)waitpid(pid, NULL, 0);
	}
}

static int set_up(struct keeper *k, struct err *e)
{
	const struct keeper_options *o = k->options;
	int r = own_mounts(e); /* first: descriptors of another namespace cannot be mounted on */

	if (r == 0) {
		r = bundle_open(o->bundle, o->prefix, &k->bundle, e);
	}
	if (r == 0) {
		(void)snprintf(k->id, sizeof(k->id), "%u", k->bundle.uid);
		r = place_open(&k->place, o->prefix, k->bundle.uid, e);
	}
	if (r == 0) {
		clear_ended(k); /* no other shim can be at it: place_open() has taken the lock */
		r = loop_new(&k->loop, e);
	}
	if (r == 0) {
		r = children_init(&k->children, k->loop, e);
	}
	if (r == 0) {
		r = open_signals(k, e);
	}
	if (r == 0) {
		r = open_log(k, e);
	}
	if (r == 0) {
		r = stdio_open(&k->stdio, k->place.state_fd, k->loop, &k->log, e);
	}
	if (r == 0) {
		k->status_fd = openat(k->place.state_fd, "status",
			O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		r = k->status_fd < 0 ? err_errno(e, "open 'status'") : 0;
	}
	if (r == 0) {
		r = control_open(&k->control, k->loop, k, &k->place, e);
	}
	return r;
}

static void tear_down(struct keeper *k)
{
	control_close(&k->control, &k->place);
	runtime_call_done(&k->call);
	stdio_done(&k->stdio);
	logfile_done(&k->log);
	cgroup_watch_stop(&k->cgroup);
	close_fd(&k->status_fd);
	close_fd(&k->netns_fd);
	place_done(&k->place);
	control_done(&k->control);
	children_done(&k->children);
	close_fd(&k->signals.fd);
	k->loop = loop_free(k->loop);
	bundle_done(&k->bundle);
}

int keeper_run(const struct keeper_options *options, struct err *e)
{
	struct keeper k = {.options = options,
		.state = WAITING,
		.timer = {.on_expire = on_timer},
		.bundle = {.dir_fd = -1},
		.place = {.state_fd = -1, .run_fd = -1, .lock_fd = -1},
		.signals = {.fd = -1},
		.log = {.fd = -1, .dir_fd = -1},
		.netns_fd = -1,
		.status_fd = -1};
	int r = set_up(&k, e);

	if (r == 0) {
		k.runtime = (struct runtime){.path = options->runtime,
			.root = options->runtime_root,
			.scratch = k.place.state,
			.loop = k.loop,
			.children = &k.children};
		k.sessions = (struct session_host){
			.runtime = &k.runtime, .bundle = &k.bundle, .place = &k.place, .id = k.id};
		(void)loop_timer_set(k.loop, &k.timer, 0); /* the first start */
		r = loop_run(k.loop, e);
	}
	if (r == 0 && !k.ran) {
		r = err_set(e, -k.failure.code, "%s", k.failure.msg);
	}
	tear_down(&k);
	return r < 0 ? r : k.exit_status;
}
