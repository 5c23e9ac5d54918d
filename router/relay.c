/*
 * Both directions are pumped in turns until neither gets on; then the sockets are watched for just
 * what could move them. What is watched follows from the state alone (interest()), and epoll is
 * level-triggered, so no wake-up can be lost.
 *
 * A response whose body needs no look (FRAMING_LENGTH, FRAMING_CLOSE) is read straight into the
 * buffer it is sent from; towards a chunked client there is room left for the chunk's head.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "router/backend.h"
#include "router/config.h"
#include "router/front.h"
#include "router/relay.h"
#include "router/worker.h"

enum {
	TURNS = 16,	/* before other connections have theirs */
	CHUNK_HEAD = 7, /* "0ffff\r\n" */
	GONE = -1,	/* of the pumps: the exchange left this module */
	BLOCKED = 0,
	MOVED = 1,
};

struct turn {
	struct conn *c;
	struct exchange *x;
	bool client_in, back_in; /* there may be something to read */
};

static bool up_pending(const struct exchange *x)
{
	return x->up_sent < x->up.n && !x->up_broken;
}

static bool body_wanted(const struct exchange *x)
{
	return x->body_left > 0 && !up_pending(x) && !x->up_broken;
}

static bool out_pending(const struct exchange *x)
{
	return x->out_sent < x->out.n;
}

int relay_flush(struct conn *c)
{
	struct exchange *x = c->x;

	if (buf_failed(&x->out)) {
		return -ENOMEM; /* a part is missing: what follows would be taken for it */
	}
	while (out_pending(x)) {
		ssize_t n = send(c->io.fd, x->out.p + x->out_sent, x->out.n - x->out_sent,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0) {
			if (errno == EINTR) {
				continue;
			}
			return errno == EAGAIN ? 0 : -errno;
		}
		x->out_sent += (size_t)n;
		c->active = loop_now(c->worker->loop);
	}
	buf_clear(&x->out);
	x->out_sent = 0;
	return 1;
}

/* Ends the client's connection in the middle of a response: where its end is the end of the
 * connection, by a reset, so that it is not taken for complete. */
static int cut_off(struct conn *c)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	if (c->x->head_done && c->x->sink == FRAMING_CLOSE) {
		(void)setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	}
	(void)relay_flush(c); /* what the client can have, it gets */
	front_close(c);
	return GONE;
}

/* The node's answer is no answer; `error` as for backend_blame(). */
static int bad_gateway(struct conn *c, const char *why, int error)
{
	backend_blame(c->x, why, error);
	if (c->x->head_done || c->x->out_sent > 0) {
		return cut_off(c);
	}
	front_refuse(c, 502);
	return GONE;
}

static int send_up(struct turn *t)
{
	struct exchange *x = t->x;
	ssize_t n = send(x->back.fd, x->up.p + x->up_sent, x->up.n - x->up_sent,
		MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return BLOCKED;
	}
	if (n < 0 && !x->sent_any) {
		backend_blame(x, "send", errno);
		backend_retry(t->c);
		return GONE;
	}
	if (n < 0) {
		x->up_broken = true; /* it may have answered all the same */
		t->back_in = true;
		return MOVED;
	}
	x->sent_any = true;
	x->up_sent += (size_t)n;
	t->c->active = loop_now(t->c->worker->loop);
	if (!up_pending(x)) {
		buf_clear(&x->up);
		x->up_sent = 0;
	}
	return MOVED;
}

static int read_body(struct turn *t)
{
	struct exchange *x = t->x;
	size_t want = x->body_left < RELAY_BUFFER ? (size_t)x->body_left : RELAY_BUFFER;
	char *room = buf_room(&x->up, want);
	ssize_t n = room ? recv(t->c->io.fd, room, want, MSG_DONTWAIT) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		t->client_in = false;
		return BLOCKED;
	}
	if (n <= 0) {
		front_close(t->c); /* the client left in the middle of its request */
		return GONE;
	}
	buf_added(&x->up, (size_t)n);
	x->body_left -= (uint64_t)n;
	t->client_in = (size_t)n == want;
	return MOVED;
}

static int pump_up(struct turn *t)
{
	if (up_pending(t->x)) {
		return send_up(t);
	}
	return body_wanted(t->x) && t->client_in ? read_body(t) : BLOCKED;
}

/* Body bytes for the client, in its framing. */
static void emit(struct exchange *x, struct slice data)
{
	if (data.n == 0 || x->sink == FRAMING_NONE) {
		return;
	}
	if (x->sink == FRAMING_CHUNKED) {
		buf_putf(&x->out, "%zx\r\n", data.n);
	}
	buf_put(&x->out, data);
	if (x->sink == FRAMING_CHUNKED) {
		buf_put(&x->out, SLICE("\r\n"));
	}
}

/* The head of a chunk of n bytes, in place: five digits say more than RELAY_BUFFER. */
static void write_chunk_head(char *to, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 4; i >= 0; i--, n >>= 4) {
		to[i] = digits[n & 15];
	}
}

static void finish(struct exchange *x)
{
	if (!x->finished && x->sink == FRAMING_CHUNKED) {
		buf_put(&x->out, SLICE("0\r\n\r\n"));
	}
	x->finished = true;
}

/* Body bytes from the node in `down`. */
static int take_body(struct turn *t)
{
	struct exchange *x = t->x;
	struct slice in = buf_slice(&x->down);

	if (x->source == FRAMING_LENGTH) {
		in.n = in.n < x->down_left ? in.n : (size_t)x->down_left;
		x->down_left -= in.n;
		emit(x, in);
	} else if (x->source == FRAMING_CLOSE) {
		emit(x, in);
	}
	while (x->source == FRAMING_CHUNKED && in.n && x->chunked.state != CHUNKED_DONE) {
		struct slice data;
		long n = chunked_decode(&x->chunked, in, &data);

		if (n < 0) {
			return cut_off(t->c);
		}
		emit(x, data);
		in = slice_skip(in, (size_t)n);
	}
	buf_clear(&x->down);
	if (x->source == FRAMING_NONE || x->chunked.state == CHUNKED_DONE ||
		(x->source == FRAMING_LENGTH && x->down_left == 0)) {
		finish(x);
	}
	return MOVED;
}

static enum framing sink_of(const struct exchange *x, enum framing source)
{
	if (source == FRAMING_NONE || source == FRAMING_LENGTH) {
		return source;
	}
	return x->minor == 1 && (x->keep_alive || source == FRAMING_CHUNKED) ? FRAMING_CHUNKED
									     : FRAMING_CLOSE;
}

static void begin_response(struct conn *c, const struct response *r)
{
	struct exchange *x = c->x;
	struct response_out out;

	x->head_done = true;
	x->source = r->framing;
	if (x->head_only || r->status == 204 || r->status == 304) {
		x->source = FRAMING_NONE;
	}
	x->down_left = r->length;
	x->sink = sink_of(x, x->source);
	x->keep_alive &= x->sink != FRAMING_CLOSE && !c->worker->draining &&
			 c->worker->config->keepalive > 0;
	out = (struct response_out){.framing = x->sink, .close = !x->keep_alive};
	response_write(r, &out, &x->out);
}

/* Bytes came while the head is not complete. */
static int take_head(struct turn *t)
{
	struct exchange *x = t->x;
	struct response r;

	for (;;) {
		long n = response_parse(&x->down_scan, buf_slice(&x->down), &r);

		if (n == 0) {
			return MOVED;
		}
		if (n < 0 || r.status == 101) { /* no upgrade was asked for */
			return bad_gateway(t->c, "its answer is malformed", 0);
		}
		if (r.status >= 200) {
			begin_response(t->c, &r);
			buf_drop(&x->down, (size_t)n);
			return take_body(t);
		}
		buf_drop(&x->down, (size_t)n); /* interim responses end here */
		x->down_scan = (struct head_scan){};
	}
}

static int on_back_end(struct turn *t, int error)
{
	struct exchange *x = t->x;

	if (!x->head_done) {
		return error ? bad_gateway(t->c, "receive", error)
			     : bad_gateway(t->c, "it hung up without an answer", 0);
	}
	/* over a unix socket the end of a node that did not read all of the body looks like a
	 * reset; what it sent has arrived in full before */
	if (x->source == FRAMING_CLOSE && (!error || (x->local && x->has_body))) {
		finish(x);
		return MOVED;
	}
	return cut_off(t->c);
}

static int read_back(struct turn *t, struct buf *to, size_t room_n, ssize_t *ret_n)
{
	char *room = buf_room(to, room_n);

	if (!room) {
		return cut_off(t->c); /* cannot be: the limits leave room */
	}
	*ret_n = recv(t->x->back.fd, room, room_n, MSG_DONTWAIT);
	if (*ret_n < 0 && (errno == EAGAIN || errno == EINTR)) {
		t->back_in = false;
		return BLOCKED;
	}
	if (*ret_n <= 0) {
		return on_back_end(t, *ret_n < 0 ? errno : 0);
	}
	t->back_in = (size_t)*ret_n == room_n;
	t->c->active = loop_now(t->c->worker->loop);
	return MOVED;
}

/* Reads body bytes straight into `out`. */
static int read_direct(struct turn *t)
{
	struct exchange *x = t->x;
	bool chunk = x->sink == FRAMING_CHUNKED;
	size_t want = RELAY_BUFFER - 16;
	ssize_t n = 0;
	int r;

	if (x->source == FRAMING_LENGTH && x->down_left < want) {
		want = (size_t)x->down_left;
	}
	if (chunk) {
		buf_put(&x->out, SLICE("00000\r\n"));
	}
	r = read_back(t, &x->out, want, &n);
	if (r == GONE) {
		return GONE;
	}
	if (n <= 0) {
		if (chunk) { /* nothing came: the chunk's head goes again; an end may follow it */
			buf_drop(&x->out, CHUNK_HEAD);
		}
		return r;
	}
	if (chunk) {
		write_chunk_head(x->out.p, (size_t)n); /* `out` was empty before */
	}
	buf_added(&x->out, (size_t)n);
	if (chunk) {
		buf_put(&x->out, SLICE("\r\n"));
	}
	if (x->source == FRAMING_LENGTH && (x->down_left -= (uint64_t)n) == 0) {
		finish(x);
	}
	return MOVED;
}

static int read_parsed(struct turn *t)
{
	struct exchange *x = t->x;
	ssize_t n = 0;
	int r = read_back(t, &x->down, x->head_done ? RELAY_BUFFER / 2 : RELAY_BUFFER / 8, &n);

	if (n <= 0) {
		return r;
	}
	buf_added(&x->down, (size_t)n);
	return x->head_done ? take_body(t) : take_head(t);
}

static int pump_down(struct turn *t)
{
	struct exchange *x = t->x;
	int r;

	if (out_pending(x) || buf_failed(&x->out)) {
		r = relay_flush(t->c);
		if (r < 0) {
			front_close(t->c);
			return GONE;
		}
		return r > 0 ? MOVED : BLOCKED;
	}
	if (x->finished) {
		front_exchange_done(t->c);
		return GONE;
	}
	if (!t->back_in) {
		return BLOCKED;
	}
	return x->head_done && x->source != FRAMING_CHUNKED ? read_direct(t) : read_parsed(t);
}

static int watch(struct loop *loop, struct loop_io *io, uint32_t events)
{
	if (events) {
		return loop_watch(loop, io, events, NULL);
	}
	/* else a hang-up would be told again and again */
	loop_unwatch(loop, io);
	return 0;
}

/* What could move the exchange. A quiet client stays watched for input, which saves two system calls
 * a request. */
static void interest(struct conn *c)
{
	struct exchange *x = c->x;
	struct loop *loop = c->worker->loop;
	uint32_t back = (up_pending(x) ? EPOLLOUT : 0) | (out_pending(x) ? 0 : EPOLLIN);
	uint32_t client = (body_wanted(x) || !x->client_noisy ? EPOLLIN : 0) |
			  (out_pending(x) ? EPOLLOUT : 0);

	if (watch(loop, &x->back, back) < 0 || loop_watch(loop, &c->io, client, NULL) < 0) {
		(void)cut_off(c);
	}
}

static void pump(struct turn *t)
{
	struct conn *c = t->c;

	for (int i = 0; i < TURNS; i++) {
		int up = pump_up(t), down;

		if (up == GONE) {
			return;
		}
		down = pump_down(t);
		if (down == GONE) {
			return;
		}
		if (up == BLOCKED && down == BLOCKED) {
			break;
		}
	}
	interest(c);
}

static void on_back(struct loop_io *io, uint32_t epoll_events)
{
	struct exchange *x = loop_owner(io, struct exchange, back);
	struct turn t = {.c = x->conn, .x = x};

	t.back_in = epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR);
	pump(&t);
}

void relay_on_client(struct conn *c, uint32_t epoll_events)
{
	struct turn t = {.c = c, .x = c->x, .client_in = epoll_events & EPOLLIN};

	if (epoll_events & (EPOLLHUP | EPOLLERR)) {
		front_close(c);
		return;
	}
	if (t.client_in && !body_wanted(c->x)) {
		c->x->client_noisy = true;
	}
	pump(&t);
}

void relay_begin(struct conn *c)
{
	struct exchange *x = c->x;
	struct worker *w = c->worker;
	struct turn t = {.c = c, .x = x, .client_in = true};

	c->state = CONN_RELAY;
	c->active = loop_now(w->loop);
	x->back.on_ready = on_back;
	if (x->expect_continue && x->body_left > 0) {
		buf_put(&x->out, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
		x->expect_continue = false;
	}
	if (loop_timer_set(w->loop, &c->timer, w->config->http_timeout * USEC_PER_SEC) < 0) {
		front_refuse(c, 500);
		return;
	}
	pump(&t);
}

void relay_timeout(struct conn *c)
{
	struct worker *w = c->worker;
	uint64_t limit = w->config->http_timeout * USEC_PER_SEC;
	uint64_t silent = loop_now(w->loop) - c->active;

	if (silent < limit) {
		(void)loop_timer_set(w->loop, &c->timer, limit - silent);
	} else if (c->x->head_done || c->x->out_sent > 0) {
		(void)cut_off(c);
	} else if (body_wanted(c->x)) {
		front_refuse(c, 408); /* it is the client that is silent */
	} else {
		backend_blame(c->x, "no answer in time", 0);
		front_refuse(c, 504);
	}
}
