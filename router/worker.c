#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "router/config.h"
#include "router/front.h"
#include "router/update.h"
#include "router/worker.h"

enum { UPDATE_BATCH = 256 };

static void on_connection(struct loop_io *io, uint32_t epoll_events)
{
	(void)epoll_events;
	front_accept(loop_owner(io, struct worker_listener, io));
}

static void watch_listeners(struct worker *w)
{
	for (size_t i = 0; i < w->n_listeners && !w->draining; i++) {
		struct err e = {};

		/* exclusive: one connection wakes one worker, not all */
		if (loop_watch(w->loop, &w->listeners[i].io, EPOLLIN | EPOLLEXCLUSIVE, &e) < 0) {
			log_err("%s", e.msg);
		}
	}
}

static void on_pause_over(struct loop_timer *timer)
{
	watch_listeners(loop_owner(timer, struct worker, pause));
}

void worker_conn_gone(struct worker *w)
{
	if (w->draining && w->n_conns == 0) {
		loop_stop(w->loop, 0);
	}
}

static void on_grace_over(struct loop_timer *timer)
{
	loop_stop(loop_owner(timer, struct worker, grace)->loop, 0);
}

static void drain(struct worker *w)
{
	if (w->draining) {
		return;
	}
	w->draining = true;
	for (size_t i = 0; i < w->n_listeners; i++) {
		loop_unwatch(w->loop, &w->listeners[i].io);
		close_fd(&w->listeners[i].io.fd);
	}
	front_close_idle(w);
	(void)loop_timer_set(w->loop, &w->grace, w->config->grace * USEC_PER_SEC);
	if (w->n_conns == 0) {
		loop_stop(w->loop, 0);
	}
}

static void on_signal(struct loop_io *io, uint32_t epoll_events)
{
	struct worker *w = loop_owner(io, struct worker, signals);
	struct signalfd_siginfo info;

	(void)epoll_events;
	while (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		drain(w);
	}
}

static void on_update(struct loop_io *io, uint32_t epoll_events)
{
	struct worker *w = loop_owner(io, struct worker, updates);
	char packet[UPDATE_MAX];

	(void)epoll_events;
	for (int i = 0; i < UPDATE_BATCH; i++) {
		ssize_t n = recv(io->fd, packet, sizeof(packet), MSG_DONTWAIT);
		int type;

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		}
		if (n <= 0) { /* the parent is gone */
			loop_unwatch(w->loop, io);
			drain(w);
			return;
		}
		type = update_apply(&w->table, (struct slice){.p = packet, .n = (size_t)n});
		if (type < 0) {
			log_err("a change of the table is lost: %s", err_text(-type));
		} else if (type == UPDATE_READY) {
			watch_listeners(w);
		}
	}
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_loop(struct worker *w, const struct worker_sockets *s, struct err *e)
{
	static const int signals[] = {SIGTERM, SIGINT};
	int r = loop_new(&w->loop, e);

	if (r < 0) {
		return r;
	}
	w->signals = (struct loop_io){
		.fd = loop_signal_fd(signals, ARRAY_LEN(signals), e), .on_ready = on_signal};
	w->updates = (struct loop_io){.fd = s->updates, .on_ready = on_update};
	if (w->signals.fd < 0 || (r = loop_watch(w->loop, &w->signals, EPOLLIN, e)) < 0 ||
		(r = loop_watch(w->loop, &w->updates, EPOLLIN, e)) < 0) {
		return r < 0 ? r : w->signals.fd;
	}
	w->listeners = calloc(s->n, sizeof(*w->listeners));
	if (!w->listeners) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < s->n; i++) {
		w->listeners[i] = (struct worker_listener){.worker = w,
			.port = s->ports[i],
			.io = {.fd = s->http[i], .on_ready = on_connection}};
	}
	w->n_listeners = s->n;
	return 0;
}

static void close_all(struct worker *w)
{
	struct conn *c;

	w->draining = false; /* nobody waits for the last one */
	while ((c = TAILQ_FIRST(&w->conns))) {
		front_close(c);
	}
	front_free_pool(w);
	table_done(&w->table);
	free(w->listeners);
	close_fd(&w->signals.fd);
	w->loop = loop_free(w->loop);
}

int worker_run(const struct config *config, const struct worker_sockets *sockets)
{
	struct worker w = {.config = config, .containers = sockets->containers, .signals.fd = -1};
	struct err e = {};
	int r;

	TAILQ_INIT(&w.conns);
	TAILQ_INIT(&w.waiting);
	STAILQ_INIT(&w.exchanges);
	w.grace.on_expire = on_grace_over;
	w.pause.on_expire = on_pause_over;
	(void)!getrandom(&w.ids, sizeof(w.ids), GRND_NONBLOCK);
	raise_descriptor_limit();
	r = open_loop(&w, sockets, &e);
	if (r >= 0) {
		r = loop_run(w.loop, &e);
	}
	if (r < 0) {
		log_err("%s", e.msg);
	}
	if (w.loop) {
		close_all(&w);
	}
	return r < 0 ? 1 : 0;
}
