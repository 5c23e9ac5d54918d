/*
 * A deadline belongs to a state: the time for a head runs from its first byte (or from accepting)
 * and is not lengthened by further bytes. In RELAY the timer is only looked at when it fires: if the
 * exchange has moved since, it is set anew, so progress costs no timer work.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "router/addr.h"
#include "router/backend.h"
#include "router/config.h"
#include "router/front.h"
#include "router/relay.h"
#include "router/status.h"
#include "router/worker.h"

enum {
	READ_SIZE = 4096,
	IN_MAX = HTTP1_HEAD_MAX + 2 * READ_SIZE,
	UP_MAX = 256 << 10,
	DOWN_MAX = RESPONSE_HEAD_MAX + RELAY_BUFFER + 4096,
	OUT_MAX = 4 * RELAY_BUFFER + 2 * RESPONSE_HEAD_MAX,
	POOL_MAX = 256,
	ACCEPT_BATCH = 64,
};

#define FLUSH_TIMEOUT  (30 * USEC_PER_SEC)
#define LINGER_TIMEOUT (2 * USEC_PER_SEC)
#define ACCEPT_PAUSE   (100 * USEC_PER_MSEC)

static struct exchange *exchange_get(struct worker *w)
{
	struct exchange *x = STAILQ_FIRST(&w->exchanges);

	if (x) {
		STAILQ_REMOVE_HEAD(&w->exchanges, link);
		w->n_exchanges--;
		return x;
	}
	x = calloc(1, sizeof(*x));
	if (x) {
		x->back.fd = -1;
		x->in.limit = IN_MAX;
		x->up.limit = UP_MAX;
		x->down.limit = DOWN_MAX;
		x->out.limit = OUT_MAX;
	}
	return x;
}

static void exchange_free(struct exchange *x)
{
	buf_done(&x->in);
	buf_done(&x->up);
	buf_done(&x->down);
	buf_done(&x->out);
	free(x);
}

/* Ready for another request; what the client sent beyond the last one stays in `in`. */
static void exchange_reset(struct exchange *x)
{
	struct exchange kept = {.conn = x->conn,
		.in = x->in,
		.up = x->up,
		.down = x->down,
		.out = x->out,
		.back.fd = -1};

	(void)node_unref(x->node);
	buf_clear(&kept.up);
	buf_clear(&kept.down);
	buf_clear(&kept.out);
	*x = kept;
}

static void exchange_put(struct worker *w, struct exchange *x)
{
	exchange_reset(x);
	x->conn = NULL;
	buf_clear(&x->in);
	if (w->n_exchanges == POOL_MAX) {
		exchange_free(x);
		return;
	}
	STAILQ_INSERT_HEAD(&w->exchanges, x, link);
	w->n_exchanges++;
}

void front_free_pool(struct worker *w)
{
	struct exchange *x;

	while ((x = STAILQ_FIRST(&w->exchanges))) {
		STAILQ_REMOVE_HEAD(&w->exchanges, link);
		exchange_free(x);
	}
}

static void set_timer(struct conn *c, uint64_t usec)
{
	if (loop_timer_set(c->worker->loop, &c->timer, usec) < 0) {
		log_warning("no memory for a timer"); /* the connection lives without one */
	}
}

/* The state changes next. */
static void unlist(struct conn *c)
{
	if (c->state == CONN_IDLE || c->state == CONN_HEAD) {
		TAILQ_REMOVE(&c->worker->waiting, c, wait_link);
	}
}

static void set_waiting(struct conn *c, enum conn_state state)
{
	c->state = state;
	TAILQ_INSERT_TAIL(&c->worker->waiting, c, wait_link);
}

void front_close(struct conn *c)
{
	struct worker *w = c->worker;

	unlist(c);
	if (c->x) {
		backend_close(c);
		exchange_put(w, c->x);
	}
	loop_timer_clear(w->loop, &c->timer);
	loop_unwatch(w->loop, &c->io);
	close_fd(&c->io.fd);
	TAILQ_REMOVE(&w->conns, c, link);
	free(c);
	w->n_conns--;
	worker_conn_gone(w);
}

bool front_close_oldest(struct worker *w)
{
	struct conn *oldest = TAILQ_FIRST(&w->waiting);

	if (oldest) {
		front_close(oldest);
	}
	return oldest != NULL;
}

void front_close_idle(struct worker *w)
{
	struct conn *next;

	for (struct conn *c = TAILQ_FIRST(&w->waiting); c; c = next) {
		next = TAILQ_NEXT(c, wait_link);
		if (c->state == CONN_IDLE) {
			front_close(c);
		}
	}
}

/* Our end is closed; the client's is read and thrown away until it ends too. */
static void linger(struct conn *c)
{
	c->state = CONN_LINGER;
	if (shutdown(c->io.fd, SHUT_WR) < 0 ||
		loop_watch(c->worker->loop, &c->io, EPOLLIN, NULL) < 0) {
		front_close(c);
		return;
	}
	set_timer(c, LINGER_TIMEOUT);
}

static void on_linger(struct conn *c)
{
	char sink[READ_SIZE];
	ssize_t n = recv(c->io.fd, sink, sizeof(sink), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		front_close(c);
	}
}

static void on_flush(struct conn *c)
{
	int r = relay_flush(c);

	if (r < 0) {
		front_close(c);
	} else if (r > 0) {
		linger(c);
	} else if (loop_watch(c->worker->loop, &c->io, EPOLLOUT, NULL) < 0) {
		front_close(c);
	}
}

/* Only what an operator or a customer can mend; what clients do wrong would fill the log. */
static void log_refusal(struct conn *c, int status, uint64_t id)
{
	const struct exchange *x = c->x;
	bool ours = status == 500 || status == 502 || status == 503 || status == 504;

	if (ours && limit_allow(&c->worker->log, loop_now(c->worker->loop))) {
		log_warning("status=%d host='%.*s' node='%s' cause='%s%s%s' client='%s' "
			    "request=%016" PRIx64,
			status, x->host_n, x->host, x->node ? x->node->address : "",
			x->why ? x->why : "out of memory", x->why_error ? ": " : "",
			x->why_error ? err_text(x->why_error) : "", c->peer.address, id);
	}
}

void front_refuse(struct conn *c, int status)
{
	struct worker *w = c->worker;
	struct exchange *x = c->x;
	uint64_t id = ++w->ids * UINT64_C(0x9e3779b97f4a7c15);

	unlist(c);
	log_refusal(c, status, id);
	backend_close(c);
	buf_clear(&x->out);
	x->out_sent = 0;
	status_write(status, id, x->head_only, &x->out);
	c->state = CONN_FLUSH;
	set_timer(c, FLUSH_TIMEOUT);
	on_flush(c);
}

static void become_idle(struct conn *c, uint64_t timeout)
{
	exchange_put(c->worker, c->x);
	c->x = NULL;
	set_waiting(c, CONN_IDLE);
	if (loop_watch(c->worker->loop, &c->io, EPOLLIN, NULL) < 0) {
		front_close(c);
		return;
	}
	set_timer(c, timeout);
}

void front_exchange_done(struct conn *c)
{
	struct exchange *x = c->x;
	struct worker *w = c->worker;
	bool unread = x->body_left > 0 || x->in.n > 0;

	backend_close(c);
	if (x->body_left > 0 || !x->keep_alive || w->draining || w->config->keepalive == 0) {
		if (unread) {
			linger(c);
		} else {
			front_close(c);
		}
		return;
	}
	exchange_reset(x);
	if (x->in.n == 0) {
		become_idle(c, w->config->keepalive * USEC_PER_SEC);
		return;
	}
	/* a pipelined request is there: from the loop, not from within this one; an end of input that
	 * follows must not be seen before */
	set_waiting(c, CONN_HEAD);
	x->client_noisy = true;
	loop_unwatch(w->loop, &c->io); /* also what of this batch is still to come */
	set_timer(c, 0);
}

/* The rest of what came with the head goes to the node as far as it is body. */
static void take_body_part(struct exchange *x)
{
	size_t n = x->in.n < x->body_left ? x->in.n : (size_t)x->body_left;

	buf_put(&x->up, (struct slice){.p = x->in.p, .n = n});
	buf_drop(&x->in, n);
	x->body_left -= n;
}

static int check_limits(const struct conn *c, const struct http1_request *req)
{
	uint64_t max = (uint64_t)c->worker->config->max_body << 20;

	if (req->chunked) {
		return 411;
	}
	return max && req->length > max ? 413 : 0;
}

/* Notes what is needed later, makes the packet, drops the head. Returns 0 or a status. */
static int take_request(struct conn *c, const struct http1_request *req, size_t head)
{
	struct exchange *x = c->x;
	int status = check_limits(c, req);

	x->head_only = slice_eq(req->method, SLICE("HEAD"));
	x->minor = req->minor;
	x->keep_alive = req->keep_alive;
	x->expect_continue = req->expect_continue;
	x->body_left = req->length;
	x->has_body = req->length > 0;
	x->host_n = (uint8_t)req->host.n;
	memcpy(x->host, req->host.p ? req->host.p : "", req->host.n);
	if (status) {
		return status;
	}
	if (vars_write(req, &c->peer, &x->up) < 0) {
		return 431;
	}
	buf_drop(&x->in, head);
	take_body_part(x);
	return buf_failed(&x->up) ? 500 : 0;
}

/* Parses what is there. */
static void on_head_bytes(struct conn *c)
{
	struct exchange *x = c->x;
	struct http1_request req;
	long n = http1_parse(&x->scan, buf_slice(&x->in), &req);
	int status;

	if (n == 0) {
		return;
	}
	status = n < 0 ? (int)-n : take_request(c, &req, (size_t)n);
	if (status) {
		front_refuse(c, status);
		return;
	}
	unlist(c);
	c->state = CONN_CONNECT;
	c->active = loop_now(c->worker->loop);
	backend_start(c);
}

static void leave_idle(struct conn *c, struct exchange *x)
{
	unlist(c);
	x->conn = c;
	c->x = x;
	set_waiting(c, CONN_HEAD);
	set_timer(c, c->worker->config->headers_timeout * USEC_PER_SEC);
}

static void on_head(struct conn *c)
{
	struct exchange *x = c->x ? c->x : exchange_get(c->worker);
	char *room = x ? buf_room(&x->in, READ_SIZE) : NULL;
	ssize_t n;

	if (!room) {
		if (x && !c->x) {
			exchange_put(c->worker, x);
		}
		front_close(c);
		return;
	}
	n = recv(c->io.fd, room, READ_SIZE, MSG_DONTWAIT);
	if (n <= 0) {
		if (!c->x) {
			exchange_put(c->worker, x);
		}
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			front_close(c);
		}
		return;
	}
	buf_added(&x->in, (size_t)n);
	if (!c->x) {
		leave_idle(c, x);
	}
	on_head_bytes(c);
}

static void on_client(struct loop_io *io, uint32_t epoll_events)
{
	struct conn *c = loop_owner(io, struct conn, io);

	switch (c->state) {
	case CONN_IDLE:
	case CONN_HEAD:
		on_head(c);
		break;
	case CONN_CONNECT:
		if (epoll_events & (EPOLLHUP | EPOLLERR)) {
			front_close(c);
		} else {
			/* more input: not now */
			c->x->client_noisy = true;
			(void)loop_watch(c->worker->loop, &c->io, 0, NULL);
		}
		break;
	case CONN_RELAY:
		relay_on_client(c, epoll_events);
		break;
	case CONN_FLUSH:
		on_flush(c);
		break;
	case CONN_LINGER:
		on_linger(c);
		break;
	}
}

/* The time for a head is over, or a pipelined request waits in `in`. */
static void on_head_timer(struct conn *c)
{
	if (c->x->client_noisy) {
		c->x->client_noisy = false;
		set_timer(c, c->worker->config->headers_timeout * USEC_PER_SEC);
		if (loop_watch(c->worker->loop, &c->io, EPOLLIN, NULL) < 0) {
			front_close(c);
			return;
		}
		on_head_bytes(c);
		return;
	}
	front_refuse(c, 408);
}

static void on_timer(struct loop_timer *timer)
{
	struct conn *c = loop_owner(timer, struct conn, timer);

	switch (c->state) {
	case CONN_HEAD:
		on_head_timer(c);
		break;
	case CONN_CONNECT:
		backend_timeout(c);
		break;
	case CONN_RELAY:
		relay_timeout(c);
		break;
	case CONN_IDLE:
	case CONN_FLUSH:
	case CONN_LINGER:
		front_close(c);
		break;
	}
}

static void adopt(struct worker_listener *l, int fd, const struct addr *from)
{
	struct worker *w = l->worker;
	struct conn *c = calloc(1, sizeof(*c));
	char text[ADDR_TEXT_MAX];
	int one = 1;

	if (!c) {
		close_fd(&fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->worker = w;
	c->io = (struct loop_io){.fd = fd, .on_ready = on_client};
	c->timer.on_expire = on_timer;
	addr_host_text(from, text);
	memcpy(c->peer.address, text, sizeof(c->peer.address));
	c->peer.port = addr_port(from);
	c->peer.server_port = l->port;
	TAILQ_INSERT_TAIL(&w->conns, c, link);
	set_waiting(c, CONN_IDLE);
	w->n_conns++;
	if (loop_watch(w->loop, &c->io, EPOLLIN, NULL) < 0) {
		front_close(c);
		return;
	}
	set_timer(c, w->config->headers_timeout * USEC_PER_SEC);
	/* the request is often there already; tried at once it saves a turn of the loop */
	on_head(c);
}

/* A listening socket stays readable when accepting fails for want of memory or descriptors. */
static void pause_accepting(struct worker *w)
{
	for (size_t i = 0; i < w->n_listeners; i++) {
		loop_unwatch(w->loop, &w->listeners[i].io);
	}
	(void)loop_timer_set(w->loop, &w->pause, ACCEPT_PAUSE);
}

void front_accept(struct worker_listener *l)
{
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct addr from = {.len = sizeof(from.in6)};
		int fd = accept4(l->io.fd, &from.sa, &from.len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			adopt(l, fd, &from);
		} else if (errno == EMFILE || errno == ENFILE) {
			if (!front_close_oldest(l->worker)) {
				pause_accepting(l->worker);
				return;
			}
		} else if (errno == ENOBUFS || errno == ENOMEM) {
			pause_accepting(l->worker);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}
