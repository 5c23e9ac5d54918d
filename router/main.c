/*
 * fief-router: routes HTTP requests to the nodes that subscribed.
 *
 * Runs as root until its sockets are open, then as --user without any capability. The parent owns
 * the subscription sockets and the table and forks the workers; the workers own the clients. Nobody
 * is trusted: not the clients, not the senders of subscriptions, not the nodes. Only the parent's
 * word counts, for the workers. The parent must not read the clients' bytes, nor they the senders'.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/paths.h"
#include "router/config.h"
#include "router/control.h"
#include "router/intake.h"
#include "router/keys.h"
#include "router/listen.h"
#include "router/privilege.h"
#include "router/registrar.h"
#include "router/worker.h"
#include "router/workers.h"

struct router {
	struct config config;
	struct loop *loop;
	int *http; /* owned, with what they hold */
	uint16_t *ports;
	struct buf listening; /* what to say when ready */
	struct intake **intakes;
	struct control control;
	struct keys keys;
	struct registrar registrar;
	struct workers workers;
	struct loop_io signals;
	struct loop_timer grace;
	int containers;
};

static void publish(struct registrar *registrar, struct slice packet)
{
	workers_tell(&loop_owner(registrar, struct router, registrar)->workers, packet);
}

/* In the child. */
static int run_worker(struct workers *workers, unsigned index, int updates)
{
	struct router *r = loop_owner(workers, struct router, workers);
	const struct worker_sockets sockets = {.http = r->http,
		.ports = r->ports,
		.n = r->config.http.n,
		.containers = r->containers,
		.updates = updates};

	(void)index;
	for (size_t i = 0; i < r->config.subscribe.n; i++) {
		intake_close(r->intakes[i]);
	}
	control_close(&r->control);
	close_fd(&r->signals.fd);
	close_fd(&r->keys.dirfd);
	(void)loop_free(r->loop);
	return worker_run(&r->config, &sockets);
}

static void on_stopped(struct workers *workers)
{
	loop_stop(loop_owner(workers, struct router, workers)->loop, 0);
}

static void on_grace_over(struct loop_timer *timer)
{
	workers_kill(&loop_owner(timer, struct router, grace)->workers);
}

static void free_intakes(struct router *r)
{
	for (size_t i = 0; r->intakes && i < r->config.subscribe.n; i++) {
		r->intakes[i] = intake_free(r->intakes[i]);
	}
}

static void stop(struct router *r)
{
	if (r->workers.stopping) {
		return;
	}
	free_intakes(r);
	for (size_t i = 0; i < r->config.http.n; i++) {
		close_fd(&r->http[i]);
	}
	(void)loop_timer_set(r->loop, &r->grace, (r->config.grace + 1) * USEC_PER_SEC);
	workers_stop(&r->workers);
}

static void on_signal(struct loop_io *io, uint32_t epoll_events)
{
	struct router *r = loop_owner(io, struct router, signals);
	struct signalfd_siginfo info;

	(void)epoll_events;
	while (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			workers_reap(&r->workers);
		} else {
			stop(r);
		}
	}
}

static int open_http(struct router *r, struct err *e)
{
	size_t n = r->config.http.n;

	r->http = calloc(n, sizeof(*r->http));
	r->ports = calloc(n, sizeof(*r->ports));
	if (!r->http || !r->ports) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < n; i++) {
		r->http[i] = -1;
	}
	for (size_t i = 0; i < n; i++) {
		struct addr bound;
		char text[ADDR_TEXT_MAX];

		r->http[i] = listen_tcp(r->config.http.v[i], &bound, e);
		if (r->http[i] < 0) {
			return r->http[i];
		}
		r->ports[i] = addr_port(&bound);
		addr_text(&bound, text);
		buf_putf(&r->listening, " http=%s", text);
	}
	return 0;
}

static int open_subscriptions(struct router *r, struct err *e)
{
	r->intakes = calloc(r->config.subscribe.n + 1, sizeof(struct intake *));
	if (!r->intakes) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < r->config.subscribe.n; i++) {
		int code = intake_new(r->config.subscribe.v[i], &r->intakes[i], e);

		if (code < 0) {
			return code;
		}
		buf_putf(&r->listening, " subscribe=%s", r->config.subscribe.v[i]);
	}
	return 0;
}

/* Everything that may need privileges. */
static int open_all(struct router *r, struct err *e)
{
	_cleanup_free_ char *homes = path_of(r->config.prefix, PATH_CONTAINERS, NULL);
	int code;

	if ((code = open_http(r, e)) < 0 || (code = open_subscriptions(r, e)) < 0) {
		return code;
	}
	if (r->config.keys && (code = keys_open(&r->keys, r->config.keys, e)) < 0) {
		return code;
	}
	if (r->config.control && (code = control_open(&r->control, r->config.control, e)) < 0) {
		return code;
	}
	/* a router that starts before the first container must see it later */
	(void)files_mkdir_p(homes, 0711, NULL); /* tolerated: addresses work without homes */
	r->containers = open(homes, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->containers < 0 && errno != ENOENT) {
		return err_errno(e, "open '%s'", homes);
	}
	return 0;
}

static int start_parts(struct router *r, struct err *e)
{
	int code = control_start(&r->control, e);

	for (size_t i = 0; code == 0 && i < r->config.subscribe.n; i++) {
		code = intake_start(r->intakes[i], r->loop, &r->registrar, e);
	}
	return code;
}

static int prepare(struct router *r, struct err *e)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGCHLD};
	int code;

	if ((code = open_all(r, e)) < 0) {
		return code;
	}
	if (r->config.user && (code = privilege_drop(r->config.user, e)) < 0) {
		return code;
	}
	if ((code = loop_new(&r->loop, e)) < 0 ||
		(code = loop_signal_fd(signals, ARRAY_LEN(signals), e)) < 0) {
		return code;
	}
	r->signals.fd = code;
	r->registrar.loop = r->loop;
	r->registrar.keys = r->config.keys ? &r->keys : NULL;
	r->registrar.take_unsigned = r->config.take_unsigned;
	r->registrar.containers = r->containers;
	r->registrar.tolerance = r->config.tolerance * USEC_PER_SEC;
	r->registrar.started = (int64_t)time(NULL);
	r->workers.loop = r->loop;
	r->workers.registrar = &r->registrar;
	r->control.loop = r->loop;
	r->control.registrar = &r->registrar;
	r->control.workers = &r->workers;
	if ((code = loop_watch(r->loop, &r->signals, EPOLLIN, e)) < 0) {
		return code;
	}
	return workers_start(&r->workers, r->config.workers, e);
}

static int run(struct router *r, struct err *e)
{
	const char *listening;
	int code = prepare(r, e);

	if (code < 0 || (code = start_parts(r, e)) < 0) {
		return code;
	}
	listening = buf_str(&r->listening);
	log_info("listening on%s", listening ? listening : "");
	return loop_run(r->loop, e);
}

static void release(struct router *r)
{
	free_intakes(r);
	free(r->intakes);
	if (r->loop) {
		workers_done(&r->workers);
	}
	control_done(&r->control);
	registrar_done(&r->registrar);
	keys_done(&r->keys);
	for (size_t i = 0; r->http && i < r->config.http.n; i++) {
		close_fd(&r->http[i]);
	}
	free(r->http);
	free(r->ports);
	buf_done(&r->listening);
	close_fd(&r->containers);
	close_fd(&r->signals.fd);
	r->loop = loop_free(r->loop);
	config_done(&r->config);
}

int main(int argc, char **argv)
{
	struct router r = {.containers = -1,
		.keys.dirfd = -1,
		.control.io.fd = -1,
		.signals = {.fd = -1, .on_ready = on_signal},
		.grace.on_expire = on_grace_over,
		.registrar.publish = publish,
		.workers = {.run = run_worker, .on_stopped = on_stopped}};
	struct err e = {};
	int status, code;

	log_set_name("fief-router");
	(void)signal(SIGPIPE, SIG_IGN); /* who reads the log may end before us */
	if (config_parse(argc, argv, &r.config, &status) < 0) {
		return status;
	}
	registrar_init(&r.registrar);
	code = run(&r, &e);
	release(&r);
	return code < 0 ? log_failure(&e) : 0;
}
