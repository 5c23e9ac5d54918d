#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "lib/uwsgi.h"
#include "router/backend.h"
#include "router/config.h"
#include "router/front.h"
#include "router/relay.h"
#include "router/worker.h"

enum { ATTEMPTS_MAX = 4, BUSY_DOUBLINGS = 5 };
#define BUSY_PAUSE (20 * USEC_PER_MSEC)

void backend_blame(struct exchange *x, const char *why, int error)
{
	x->why = why;
	x->why_error = error;
}

static void fail(struct exchange *x, int status)
{
	x->node->failed = true; /* until it is announced again */
	x->failure = status;
}

static void on_connecting(struct loop_io *io, uint32_t epoll_events)
{
	struct exchange *x = loop_owner(io, struct exchange, back);
	struct conn *c = x->conn;
	int error = 0;
	socklen_t n = sizeof(error);

	(void)epoll_events;
	if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error) {
		backend_blame(x, "connect", error);
		backend_retry(c);
		return;
	}
	relay_begin(c);
}

void backend_close(struct conn *c)
{
	struct exchange *x = c->x;

	loop_unwatch(c->worker->loop, &x->back);
	close_fd(&x->back.fd);
}

/* The node takes part under its own modifiers; 123 asks for a raw connection and means 0 here. */
static void address_packet(struct exchange *x, const struct node *node)
{
	x->up.p[0] = (char)(node->modifier1 == UWSGI_MOD_RAW ? 0 : node->modifier1);
	x->up.p[3] = (char)node->modifier2;
}

static void on_connected(struct conn *c, int fd, bool pending)
{
	struct exchange *x = c->x;

	x->back = (struct loop_io){.fd = fd, .on_ready = on_connecting};
	x->local = x->node->target.kind != TARGET_INET;
	address_packet(x, x->node);
	if (!pending) {
		relay_begin(c);
		return;
	}
	c->state = CONN_CONNECT;
	if (loop_watch(c->worker->loop, &x->back, EPOLLOUT, NULL) < 0 ||
		loop_timer_set(c->worker->loop, &c->timer,
			c->worker->config->connect_timeout * USEC_PER_SEC) < 0) {
		front_refuse(c, 500);
	}
}

/* Somebody is there but has no time: again soon, as long as a connection may take. The pauses grow:
 * many who wait for a site that never accepts must not keep the worker busy. */
static void wait_for_busy(struct conn *c)
{
	struct worker *w = c->worker;
	unsigned rounds = c->x->busy_rounds++;
	uint64_t pause = BUSY_PAUSE << (rounds < BUSY_DOUBLINGS ? rounds : BUSY_DOUBLINGS);

	if (loop_now(w->loop) - c->active >= w->config->connect_timeout * USEC_PER_SEC ||
		loop_timer_set(w->loop, &c->timer, pause) < 0) {
		backend_blame(c->x, "its listen queue is full", 0);
		front_refuse(c, 503);
		return;
	}
	c->x->attempts = 0;
	c->state = CONN_CONNECT;
}

static bool is_our_own_want(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS || r == -EADDRNOTAVAIL;
}

/* Out of descriptors, connections without a request give theirs. */
static int connect_node(struct conn *c, const struct node *node, bool *ret_pending)
{
	int fd;

	do {
		fd = target_connect(&node->target, c->worker->containers, ret_pending);
	} while ((fd == -EMFILE || fd == -ENFILE) && front_close_oldest(c->worker));
	return fd;
}

static void next_node(struct conn *c)
{
	struct exchange *x = c->x;
	struct slice host = {.p = x->host, .n = x->host_n};
	struct key *key = table_lookup(&c->worker->table, host);
	bool busy = false;

	while (key && x->attempts < ATTEMPTS_MAX) {
		struct node *node = table_pick(key);
		bool pending;
		int fd;

		if (!node) {
			break;
		}
		x->attempts++;
		(void)node_unref(x->node);
		x->node = node_ref(node);
		fd = connect_node(c, node, &pending);
		if (fd >= 0) {
			on_connected(c, fd, pending);
			return;
		}
		backend_blame(x, "connect", -fd);
		if (is_our_own_want(fd)) {
			break;
		}
		if (fd == -EAGAIN) {
			busy = true;
		} else {
			fail(x, 502);
		}
	}
	if (busy) {
		wait_for_busy(c);
		return;
	}
	front_refuse(c, key ? x->failure : 404);
}

void backend_start(struct conn *c)
{
	c->x->attempts = 0;
	c->x->failure = 503;
	backend_blame(c->x, "no node is up", 0);
	next_node(c);
}

void backend_retry(struct conn *c)
{
	fail(c->x, 502);
	backend_close(c);
	next_node(c);
}

void backend_timeout(struct conn *c)
{
	if (c->x->back.fd >= 0) { /* else a busy one was waited for */
		backend_blame(c->x, "connect", ETIMEDOUT);
		fail(c->x, 504);
	}
	backend_close(c);
	next_node(c);
}
