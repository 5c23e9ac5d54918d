/*
 * Everything the keeper waits for becomes an event of one table. Actions run after the state was
 * changed and may post further events as their last deed.
 *
 * Mounts live in a mount namespace of the keeper's own: the end of the keeper, however it comes,
 * takes them along. The network namespace is held by a descriptor and outlives restarts.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/log.h"
#include "shim/keeper_impl.h"
#include "shim/packet.h"
#include "shim/prepare.h"

static const uint64_t call_deadline = 60 * USEC_PER_SEC;
static const uint64_t stop_repeat = USEC_PER_SEC;
static const uint64_t backoff_first = USEC_PER_SEC, backoff_max = 60 * USEC_PER_SEC;

/* failure NULL: it runs. Only the first word counts. */
static void tell_ready(struct keeper *k, const struct err *failure)
{
	int fd = k->options->ready_fd;

	if (!k->ready_told && fd >= 0) {
		(void)(failure ? err_send(fd, failure) : files_write_all(fd, SLICE("\n")));
	}
	k->ready_told = true;
}

static void on_call_done(struct runtime_call *call, const struct err *failure)
{
	struct keeper *k = loop_owner(call, struct keeper, call);

	if (failure) {
		k->failure = *failure;
	}
	keeper_post(k, failure ? CALL_FAILED : CALL_DONE);
}

static void call_runtime(struct keeper *k, const char *const *args, bool with_stdio)
{
	struct runtime_args call = {.args = args,
		.stdio = {-1, -1, -1},
		.extra_fd = with_stdio ? k->status_fd : -1,
		.deadline = call_deadline};

	for (int i = 0; with_stdio && i < 3; i++) {
		call.stdio[i] = k->stdio.streams[i].inner_fd;
	}
	k->call.on_done = on_call_done;
	if (runtime_call_start(&k->call, &k->runtime, &call, &k->failure) < 0) {
		keeper_post(k, CALL_FAILED);
	}
}

/* In the keeper's own mount namespace. A restart prepares anew: the customer may have replaced files
 * that are bound. */
static int prepare(struct keeper *k, struct err *e)
{
	int r = prepare_release(&k->bundle, e);

	if (r == 0) {
		r = prepare_bundle(&k->bundle, k->netns_fd, e);
	}
	if (r == 0 && k->netns_fd < 0 && !k->bundle.netns) {
		r = k->netns_fd = openat(k->bundle.dir_fd, "mnt/netns", O_RDONLY | O_CLOEXEC);
		if (r < 0) {
			r = err_errno(e, "open 'mnt/netns' of the bundle");
		}
	}
	return r < 0 ? r : 0;
}

static void act_create(struct keeper *k)
{
	_cleanup_free_ char *pid_file = NULL;

	k->failure = (struct err){};
	k->has_exit = false;
	k->oom_in_run = false;
	if (asprintf(&pid_file, "%s/pid", k->place.state) < 0) {
		pid_file = NULL;
	}
	if (!pid_file || prepare(k, &k->failure) < 0 || ftruncate(k->status_fd, 0) < 0) {
		if (!k->failure.code) {
			(void)err_errno(&k->failure, "begin container %s", k->id);
		}
		keeper_post(k, CALL_FAILED);
		return;
	}
	call_runtime(k,
		(const char *const[]){"create", "--bundle", k->bundle.path, "--pid-file", pid_file,
			"--preserve-fds", "1", k->id, NULL},
		true);
}

static void on_init_exit(struct child *child, int status)
{
	struct keeper *k = loop_owner(child, struct keeper, init);

	k->exit_status = status;
	keeper_post(k, EXITED);
}

static int read_init_pid(struct keeper *k, struct err *e)
{
	_cleanup_buf_ struct buf text = {};
	unsigned long pid;
	int r = files_read(k->place.state_fd, "pid", 32, &text, e);

	if (r == 0) {
		text.n = strcspn(buf_str(&text), "\n");
		r = cli_number(buf_str(&text), 1 << 22, &pid, e);
	}
	if (r == 0 && pid < 2) {
		r = err_set(e, -EINVAL, "the runtime wrote %lu as pid", pid);
	}
	if (r == 0) {
		k->init = (struct child){.pid = (pid_t)pid, .on_exit = on_init_exit};
		children_add(&k->children, &k->init);
	}
	return r;
}

static void on_cgroup_change(struct cgroup_watch *watch)
{
	struct keeper *k = loop_owner(watch, struct keeper, cgroup);

	if (watch->oom_kills > k->oom_told) {
		k->oom_in_run = true;
		log_warning("container %s: out of memory, killed %" PRIu64 " (limit %" PRIu64
			    " bytes)",
			k->id, watch->oom_kills - k->oom_told, k->bundle.memory);
	}
	if (watch->pids_hits > k->pids_told) {
		log_warning("container %s: limit of processes hit, %" PRIu64 " forks refused",
			k->id, watch->pids_hits - k->pids_told);
	}
	k->oom_told = watch->oom_kills;
	k->pids_told = watch->pids_hits;
}

static void act_start(struct keeper *k)
{
	struct err e = {};

	if (read_init_pid(k, &k->failure) < 0) {
		keeper_post(k, CALL_FAILED);
		return;
	}
	k->oom_told = k->pids_told = 0;
	k->cgroup.on_change = on_cgroup_change;
	if (cgroup_watch_start(&k->cgroup, k->loop, k->init.pid, &e) < 0) {
		log_warning("container %s: its limits are not watched: %s", k->id, e.msg);
	}
	call_runtime(k, (const char *const[]){"start", k->id, NULL}, false);
}

static void note_start(struct keeper *k)
{
	k->ran = true;
	k->started_at = loop_now(k->loop);
	stdio_timestamp(k->started, sizeof(k->started));
	log_info("container %s: running", k->id);
	tell_ready(k, NULL);
}

static void act_running(struct keeper *k)
{
	note_start(k);
	if (k->stop_wanted) {
		keeper_post(k, STOP);
	}
}

static void act_remember_stop(struct keeper *k)
{
	k->stop_wanted = true;
}

/* TERM is said again and again: PID 1 does not hear one that comes before it has set its signals. */
static void act_ask_to_stop(struct keeper *k)
{
	uint64_t now = loop_now(k->loop);
	uint64_t left = k->stop_deadline > now ? k->stop_deadline - now : 0;

	if (left == 0) {
		log_warning("container %s: did not stop in %u s, killed", k->id, k->stop_seconds);
		(void)kill(k->init.pid, SIGKILL);
		return;
	}
	(void)kill(k->init.pid, SIGTERM);
	(void)loop_timer_set(k->loop, &k->timer, left < stop_repeat ? left : stop_repeat);
}

static void act_stop(struct keeper *k)
{
	k->stop_wanted = true;
	k->stop_deadline = loop_now(k->loop) + k->stop_seconds * USEC_PER_SEC;
	act_ask_to_stop(k);
}

static void log_exit(const struct keeper *k)
{
	int status = k->exit_status;

	if (WIFSIGNALED(status)) {
		log_info("container %s: ended by signal %d", k->id, WTERMSIG(status));
	} else {
		log_info("container %s: ended with status %d", k->id, WEXITSTATUS(status));
	}
}

static void write_exit(struct keeper *k)
{
	_cleanup_buf_ struct buf text = {};
	struct json_out o = {.to = &text};
	bool killed = WIFSIGNALED(k->exit_status) ? WTERMSIG(k->exit_status) == SIGKILL
						  : WEXITSTATUS(k->exit_status) == 128 + SIGKILL;
	struct err e = {};
	char now[40];

	stdio_timestamp(now, sizeof(now));
	json_out_object(&o, NULL);
	packet_put_exit_members(&o, k->exit_status);
	json_out_str(&o, "time", now);
	json_out_bool(&o, "oomKilled", killed && k->oom_in_run && !k->stop_wanted);
	json_out_object_end(&o);
	buf_put(&text, SLICE("\n"));
	if (files_write_atomic(k->place.state_fd, "exit.json", 0644, buf_slice(&text), &e) < 0) {
		log_err("container %s: its exit status is lost: %s", k->id, e.msg);
	}
}

static void act_record(struct keeper *k)
{
	loop_timer_clear(k->loop, &k->timer);
	if (k->cgroup.loop) {
		cgroup_watch_read(&k->cgroup);
		cgroup_watch_stop(&k->cgroup);
		k->oom_kills += k->cgroup.oom_kills;
		k->pids_hits += k->cgroup.pids_hits;
		k->cgroup.oom_kills = k->cgroup.pids_hits = 0;
	}
	write_exit(k);
	k->has_exit = true;
	stdio_drain(&k->stdio);
	log_exit(k);
}

static void act_clean(struct keeper *k)
{
	call_runtime(k, (const char *const[]){"delete", "--force", k->id, NULL}, false);
}

static void act_record_and_clean(struct keeper *k)
{
	act_record(k);
	act_clean(k);
}

static void act_clean_after_start(struct keeper *k)
{
	note_start(k);
	act_clean(k);
}

/* A failed create leaves nothing behind, unless it had to be killed. The id may belong to a container
 * that another shim left running: that one must not be deleted here. */
static void act_abandon(struct keeper *k)
{
	log_err("container %s: %s", k->id, k->failure.msg);
	if (k->failure.code == ETIMEDOUT) {
		act_clean(k);
	} else {
		keeper_post(k, CALL_DONE);
	}
}

static void act_clean_failed(struct keeper *k)
{
	log_err("container %s: %s", k->id, k->failure.msg);
	act_clean(k);
}

static bool wants_restart(const struct keeper *k)
{
	bool failed = !k->has_exit || k->exit_status != 0;

	if (k->stop_wanted || !k->ran) {
		return false;
	}
	return k->bundle.restart == BUNDLE_RESTART_ALWAYS ||
	       (k->bundle.restart == BUNDLE_RESTART_ON_FAILURE && failed);
}

static void act_decide(struct keeper *k)
{
	keeper_post(k, wants_restart(k) ? AGAIN : END);
}

static void act_wait(struct keeper *k)
{
	/* one that ran long enough begins with the short wait again */
	if (!k->backoff || loop_now(k->loop) - k->started_at > backoff_max) {
		k->backoff = backoff_first;
	}
	log_info("container %s: starts again in %" PRIu64 " s", k->id, k->backoff / USEC_PER_SEC);
	k->restarts++;
	(void)loop_timer_set(k->loop, &k->timer, k->backoff);
	k->backoff = k->backoff * 2 > backoff_max ? backoff_max : k->backoff * 2;
}

static void act_over(struct keeper *k)
{
	loop_timer_clear(k->loop, &k->timer);
	if (!k->ran) {
		tell_ready(k, &k->failure);
	}
	control_tell_stopped(&k->control, k->exit_status);
	loop_stop(k->loop, 0);
}

static void act_nothing([[maybe_unused]] struct keeper *k)
{
}

static const struct cell {
	void (*action)(struct keeper *k);
	enum keeper_state next;
} table[STATE_MAX][EVENT_MAX] = {
	/* clang-format off */
	[CREATING] = {
		[CALL_DONE]   = {act_start, STARTING},
		[CALL_FAILED] = {act_abandon, CLEANING},
		[EXITED]      = {act_nothing, CREATING},
		[STOP]        = {act_remember_stop, CREATING},
		[TIMER]       = {act_nothing, CREATING},
		[AGAIN]       = {act_nothing, CREATING},
		[END]         = {act_nothing, CREATING},
	},
	[STARTING] = {
		[CALL_DONE]   = {act_running, RUNNING},
		[CALL_FAILED] = {act_clean_failed, CLEANING},
		[EXITED]      = {act_record, ENDED_EARLY},
		[STOP]        = {act_remember_stop, STARTING},
		[TIMER]       = {act_nothing, STARTING},
		[AGAIN]       = {act_nothing, STARTING},
		[END]         = {act_nothing, STARTING},
	},
	[ENDED_EARLY] = {
		[CALL_DONE]   = {act_clean_after_start, CLEANING},
		[CALL_FAILED] = {act_clean_failed, CLEANING},
		[EXITED]      = {act_nothing, ENDED_EARLY},
		[STOP]        = {act_remember_stop, ENDED_EARLY},
		[TIMER]       = {act_nothing, ENDED_EARLY},
		[AGAIN]       = {act_nothing, ENDED_EARLY},
		[END]         = {act_nothing, ENDED_EARLY},
	},
	[RUNNING] = {
		[CALL_DONE]   = {act_nothing, RUNNING},
		[CALL_FAILED] = {act_nothing, RUNNING},
		[EXITED]      = {act_record_and_clean, CLEANING},
		[STOP]        = {act_stop, STOPPING},
		[TIMER]       = {act_nothing, RUNNING},
		[AGAIN]       = {act_nothing, RUNNING},
		[END]         = {act_nothing, RUNNING},
	},
	[STOPPING] = {
		[CALL_DONE]   = {act_nothing, STOPPING},
		[CALL_FAILED] = {act_nothing, STOPPING},
		[EXITED]      = {act_record_and_clean, CLEANING},
		[STOP]        = {act_stop, STOPPING}, /* the newer deadline holds */
		[TIMER]       = {act_ask_to_stop, STOPPING},
		[AGAIN]       = {act_nothing, STOPPING},
		[END]         = {act_nothing, STOPPING},
	},
	[CLEANING] = {
		[CALL_DONE]   = {act_decide, CLEANING},
		[CALL_FAILED] = {act_decide, CLEANING},
		[EXITED]      = {act_record, CLEANING},
		[STOP]        = {act_remember_stop, CLEANING},
		[TIMER]       = {act_nothing, CLEANING},
		[AGAIN]       = {act_wait, WAITING},
		[END]         = {act_over, OVER},
	},
	[WAITING] = {
		[CALL_DONE]   = {act_nothing, WAITING},
		[CALL_FAILED] = {act_nothing, WAITING},
		[EXITED]      = {act_nothing, WAITING},
		[STOP]        = {act_over, OVER},
		[TIMER]       = {act_create, CREATING},
		[AGAIN]       = {act_nothing, WAITING},
		[END]         = {act_nothing, WAITING},
	},
	[OVER] = {
		[CALL_DONE]   = {act_nothing, OVER},
		[CALL_FAILED] = {act_nothing, OVER},
		[EXITED]      = {act_nothing, OVER},
		[STOP]        = {act_nothing, OVER},
		[TIMER]       = {act_nothing, OVER},
		[AGAIN]       = {act_nothing, OVER},
		[END]         = {act_nothing, OVER},
	},
	/* clang-format on */
};

void keeper_post(struct keeper *k, enum keeper_event event)
{
	const struct cell *cell = &table[k->state][event];

	k->state = cell->next;
	cell->action(k);
}
