#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "router/registrar.h"
#include "router/update.h"
#include "router/workers.h"

enum {
	QUEUE_MAX = 128 << 20, /* bytes: the largest table with room to spare */
	QUEUE_BATCH = 256,
};

#define PAUSE_MIN (50 * USEC_PER_MSEC)
#define PAUSE_MAX (5 * USEC_PER_SEC)
#define GROWN_UP  (10 * USEC_PER_SEC) /* who lived so long did not die young */

static void disconnect(struct worker_slot *slot)
{
	loop_unwatch(slot->all->loop, &slot->io);
	close_fd(&slot->io.fd);
	buf_done(&slot->queue);
	slot->queue_sent = 0;
}

/* Sends what is queued as long as the worker takes it. */
static void flush(struct worker_slot *slot)
{
	size_t at = slot->queue_sent;

	for (int i = 0; i < QUEUE_BATCH && slot->queue.n - at >= 2; i++) {
		struct slice rest = slice_skip(buf_slice(&slot->queue), at);
		struct slice packet;
		uint16_t n;

		if (!take_u16le(&rest, &n) || !take_bytes(&rest, n, &packet) ||
			send(slot->io.fd, packet.p, packet.n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			break; /* full, or dying: SIGCHLD tells */
		}
		at += 2 + (size_t)n;
	}
	/* in large steps: what is left of a long queue is moved each time */
	if (at == slot->queue.n || at > QUEUE_MAX / 4) {
		buf_drop(&slot->queue, at);
		at = 0;
	}
	slot->queue_sent = at;
	(void)loop_watch(slot->all->loop, &slot->io, slot->queue.n ? EPOLLOUT : 0, NULL);
}

static void on_writable(struct loop_io *io, uint32_t epoll_events)
{
	struct worker_slot *slot = loop_owner(io, struct worker_slot, io);

	if (epoll_events & (EPOLLERR | EPOLLHUP)) {
		disconnect(slot); /* the worker is gone */
		return;
	}
	flush(slot);
}

static void tell(struct worker_slot *slot, struct slice packet)
{
	if (slot->io.fd < 0) {
		return;
	}
	if (slot->queue.n == 0 &&
		send(slot->io.fd, packet.p, packet.n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
		return;
	}
	buf_put_u16le(&slot->queue, (uint16_t)packet.n);
	buf_put(&slot->queue, packet);
	if (buf_failed(&slot->queue)) {
		log_warning("worker=%u does not read its updates: killed", slot->index);
		(void)kill(slot->pid, SIGKILL);
		disconnect(slot);
		return;
	}
	(void)loop_watch(slot->all->loop, &slot->io, EPOLLOUT, NULL);
}

static void tell_table(struct worker_slot *slot)
{
	_cleanup_buf_ struct buf packet = {};
	const struct node *node;

	TAILQ_FOREACH(node, &slot->all->registrar->alive, reg.age)
	{
		buf_clear(&packet);
		update_write(UPDATE_UP, node, &packet);
		tell(slot, buf_slice(&packet));
	}
	/* keys whose nodes are gone stay known; told as a node that comes and goes */
	TAILQ_FOREACH(node, &slot->all->registrar->gone, reg.age)
	{
		buf_clear(&packet);
		update_write(UPDATE_UP, node, &packet);
		tell(slot, buf_slice(&packet));
		buf_clear(&packet);
		update_write(UPDATE_DOWN, node, &packet);
		tell(slot, buf_slice(&packet));
	}
	buf_clear(&packet);
	update_write_ready(&packet);
	tell(slot, buf_slice(&packet));
}

/* In the child: nothing of the parent's loop and of the other workers stays open. */
[[gnu::noreturn]] static void become_worker(struct worker_slot *slot, int updates_fd)
{
	struct workers *w = slot->all;

	for (size_t i = 0; i < w->n; i++) {
		close_fd(&w->slots[i].io.fd);
	}
	_exit(w->run(w, slot->index, updates_fd));
}

static int spawn(struct worker_slot *slot, struct err *e)
{
	int pair[2], size = 1 << 20;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		return err_errno(e, "make a socket pair");
	}
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	pid = fork();
	if (pid < 0) {
		int r = err_errno(e, "fork a worker");

		close_fd(&pair[0]);
		close_fd(&pair[1]);
		return r;
	}
	if (pid == 0) {
		close_fd(&pair[0]);
		become_worker(slot, pair[1]);
	}
	close_fd(&pair[1]);
	slot->pid = pid;
	slot->born = loop_now(slot->all->loop);
	slot->io.fd = pair[0];
	slot->queue.limit = QUEUE_MAX;
	tell_table(slot);
	return 0;
}

static void on_respawn(struct loop_timer *timer)
{
	struct worker_slot *slot = loop_owner(timer, struct worker_slot, respawn);
	struct err e = {};

	if (slot->all->stopping) {
		return;
	}
	slot->restarts++;
	if (spawn(slot, &e) < 0) {
		log_err("worker=%u %s", slot->index, e.msg);
		(void)loop_timer_set(slot->all->loop, &slot->respawn, PAUSE_MAX);
		return;
	}
	log_info("worker=%u pid=%d started again", slot->index, slot->pid);
}

int workers_start(struct workers *w, size_t n, struct err *e)
{
	w->slots = calloc(n, sizeof(*w->slots));
	if (!w->slots) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	w->n = n;
	for (size_t i = 0; i < n; i++) {
		w->slots[i] = (struct worker_slot){.all = w,
			.index = (unsigned)i,
			.io = {.fd = -1, .on_ready = on_writable},
			.respawn.on_expire = on_respawn,
			.pause = PAUSE_MIN};
	}
	for (size_t i = 0; i < n; i++) {
		int r = spawn(&w->slots[i], e);

		if (r < 0) {
			return r;
		}
	}
	return 0;
}

void workers_tell(struct workers *w, struct slice packet)
{
	for (size_t i = 0; i < w->n; i++) {
		tell(&w->slots[i], packet);
	}
}

static void bury(struct worker_slot *slot, int status)
{
	struct loop *loop = slot->all->loop;
	bool grown_up = loop_now(loop) - slot->born >= GROWN_UP;
	pid_t pid = slot->pid;

	slot->pid = 0;
	disconnect(slot);
	if (slot->all->stopping) {
		return;
	}
	slot->pause = grown_up ? PAUSE_MIN : slot->pause;
	log_warning("worker=%u pid=%d died (%s %d)", slot->index, pid,
		WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	(void)loop_timer_set(loop, &slot->respawn, slot->pause);
	slot->pause = slot->pause * 2 > PAUSE_MAX ? PAUSE_MAX : slot->pause * 2;
}

static bool any_runs(const struct workers *w)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->slots[i].pid > 0) {
			return true;
		}
	}
	return false;
}

void workers_reap(struct workers *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct worker_slot *slot = &w->slots[i];
		int status;

		if (slot->pid > 0 && waitpid(slot->pid, &status, WNOHANG) == slot->pid) {
			bury(slot, status);
		}
	}
	if (w->stopping && !any_runs(w)) {
		w->on_stopped(w);
	}
}

static void signal_all(const struct workers *w, int signum)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->slots[i].pid > 0) {
			(void)kill(w->slots[i].pid, signum);
		}
	}
}

void workers_stop(struct workers *w)
{
	w->stopping = true;
	signal_all(w, SIGTERM);
	if (!any_runs(w)) {
		w->on_stopped(w);
	}
}

void workers_kill(struct workers *w)
{
	signal_all(w, SIGKILL);
}

void workers_done(struct workers *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct worker_slot *slot = &w->slots[i];

		if (slot->pid > 0) {
			(void)kill(slot->pid, SIGKILL);
			(void)waitpid(slot->pid, NULL, 0);
		}
		loop_timer_clear(w->loop, &slot->respawn);
		disconnect(slot);
	}
	free(w->slots);
	w->slots = NULL;
	w->n = 0;
}
