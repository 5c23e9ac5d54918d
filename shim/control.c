#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "shim/control.h"
#include "shim/keeper.h"
#include "shim/packet.h"
#include "shim/place.h"
#include "shim/session.h"

/* More connections than sessions: whoever sits in sessions cannot keep an operator from a stop. */
enum { CONNS_MAX = 64, SESSIONS_MAX = 48, STOP_MAX = 3600 };

struct control_conn {
	struct loop_io io;
	struct control *control;
	struct session session;
	bool in_session; /* `session` is alive */
	bool waits_stop; /* a stop was asked for and not answered */
	bool gone;	 /* the peer has closed; freed when the session ends */
	struct control_conn *next;
};

static void free_conn(struct control_conn *conn)
{
	struct control *control = conn->control;

	for (struct control_conn **at = &control->conns; *at; at = &(*at)->next) {
		if (*at == conn) {
			*at = conn->next;
			break;
		}
	}
	control->conns_n -= conn->gone ? 0 : 1;
	loop_unwatch(control->loop, &conn->io);
	close_fd(&conn->io.fd);
	free(conn);
}

static void drop_conn(struct control_conn *conn)
{
	if (!conn->in_session) {
		free_conn(conn);
		return;
	}
	loop_unwatch(conn->control->loop, &conn->io);
	close_fd(&conn->io.fd);
	conn->gone = true;
	/* what ignores the hang-up is one more process of the container, which limits those */
	conn->control->conns_n--;
	session_hang_up(&conn->session);
}

static unsigned count_sessions(const struct control *control)
{
	unsigned n = 0;

	for (const struct control_conn *conn = control->conns; conn; conn = conn->next) {
		n += conn->in_session && !conn->gone;
	}
	return n;
}

/* A peer that does not read its answers is dropped: false, conn may be gone. */
static bool send_text(struct control_conn *conn, struct buf *text, int fd)
{
	if (conn->gone) {
		return true;
	}
	if (buf_failed(text) ||
		packet_send(conn->io.fd, buf_slice(text), &fd, fd >= 0 ? 1 : 0, NULL) < 0) {
		drop_conn(conn);
		return false;
	}
	return true;
}

static bool send_error(struct control_conn *conn, const struct err *e)
{
	_cleanup_buf_ struct buf text = {};
	struct json_out o = {.to = &text};
	const char *code = strerrorname_np(e->code);

	json_out_object(&o, NULL);
	json_out_str(&o, "error", e->msg);
	json_out_str(&o, "code", code ? code : "EIO");
	json_out_object_end(&o);
	return send_text(conn, &text, -1);
}

static bool send_ok(struct control_conn *conn)
{
	_cleanup_buf_ struct buf text = {};

	buf_put(&text, SLICE("{\"ok\":true}"));
	return send_text(conn, &text, -1);
}

/* The members of all requests; which are allowed is in the table of operations. */
struct request {
	const char *op;
	int signal;
	struct opt_u64 timeout;
	const char **args, **env; /* owned */
	const char *cwd;
	bool tty;
	uint32_t rows, columns;
};

static const struct json_field state_fields[] = {
	{"op", json_read_str, offsetof(struct request, op), JSON_REQUIRED},
	{},
};
static const struct json_field signal_fields[] = {
	{"op", json_read_str, offsetof(struct request, op), JSON_REQUIRED},
	{"signal", json_read_int, offsetof(struct request, signal), JSON_REQUIRED},
	{},
};
static const struct json_field stop_fields[] = {
	{"op", json_read_str, offsetof(struct request, op), JSON_REQUIRED},
	{"timeout", json_read_opt_u64, offsetof(struct request, timeout), JSON_OPTIONAL},
	{},
};
static const struct json_field exec_fields[] = {
	{"op", json_read_str, offsetof(struct request, op), JSON_REQUIRED},
	{"args", json_read_strv, offsetof(struct request, args), JSON_REQUIRED},
	{"env", json_read_strv, offsetof(struct request, env), JSON_OPTIONAL},
	{"cwd", json_read_abs_path, offsetof(struct request, cwd), JSON_OPTIONAL},
	{"tty", json_read_bool, offsetof(struct request, tty), JSON_OPTIONAL},
	{"rows", json_read_u32, offsetof(struct request, rows), JSON_OPTIONAL},
	{"columns", json_read_u32, offsetof(struct request, columns), JSON_OPTIONAL},
	{},
};

/* Operations return 0 when they have answered or will, -errno to have the error sent. */
static int op_state(struct control_conn *conn, [[maybe_unused]] const struct request *rq,
	[[maybe_unused]] struct packet *packet, [[maybe_unused]] struct err *e)
{
	_cleanup_buf_ struct buf text = {};
	struct json_out o = {.to = &text};
	struct keeper_description d;

	keeper_describe(conn->control->keeper, &d);
	json_out_object(&o, NULL);
	json_out_bool(&o, "ok", true);
	json_out_u64(&o, "uid", d.uid);
	json_out_str(&o, "name", d.name);
	json_out_str(&o, "state", d.state);
	json_out_i64(&o, "pid", d.pid);
	json_out_str(&o, "started", d.started);
	json_out_u64(&o, "restarts", d.restarts);
	json_out_u64(&o, "oomKills", d.oom_kills);
	json_out_u64(&o, "pidsLimitHits", d.pids_hits);
	if (d.has_exit) {
		packet_put_exit(&o, "exit", d.exit_status);
	} else {
		json_out_null(&o, "exit");
	}
	json_out_object_end(&o);
	(void)send_text(conn, &text, -1);
	return 0;
}

static int op_signal(struct control_conn *conn, const struct request *rq,
	[[maybe_unused]] struct packet *packet, struct err *e)
{
	int r;

	if (rq->signal < 1 || rq->signal > 64) {
		return err_set(e, -EINVAL, ".signal: %d is no signal", rq->signal);
	}
	r = keeper_signal(conn->control->keeper, rq->signal, e);
	if (r == 0) {
		(void)send_ok(conn);
	}
	return r;
}

static int op_stop(struct control_conn *conn, const struct request *rq,
	[[maybe_unused]] struct packet *packet, struct err *e)
{
	struct keeper *keeper = conn->control->keeper;
	uint64_t seconds = rq->timeout.set ? rq->timeout.v : keeper_stop_timeout(keeper);

	if (seconds > STOP_MAX) {
		return err_set(e, -ERANGE, ".timeout: at most %d seconds", STOP_MAX);
	}
	/* before the stop: a container that waits for its restart ends at once */
	conn->waits_stop = true;
	return keeper_stop(keeper, (uint32_t)seconds, e);
}

static void on_session_started(struct session *session, int master_fd, const struct err *failure)
{
	struct control_conn *conn = loop_owner(session, struct control_conn, session);
	_cleanup_buf_ struct buf text = {};

	if (failure) {
		conn->in_session = false;
		if (conn->gone) {
			free_conn(conn);
		} else {
			(void)send_error(conn, failure);
		}
		return;
	}
	buf_putf(&text, "{\"ok\":true,\"pid\":%d}", (int)session->child.pid);
	(void)send_text(conn, &text, master_fd);
}

static void on_session_exit(struct session *session, int status)
{
	struct control_conn *conn = loop_owner(session, struct control_conn, session);
	_cleanup_buf_ struct buf text = {};
	struct json_out o = {.to = &text};

	conn->in_session = false;
	if (conn->gone) {
		free_conn(conn);
		return;
	}
	json_out_object(&o, NULL);
	packet_put_exit(&o, "exit", status);
	json_out_object_end(&o);
	(void)send_text(conn, &text, -1);
}

static int op_exec(
	struct control_conn *conn, const struct request *rq, struct packet *packet, struct err *e)
{
	struct session_request session = {
		.args = rq->args,
		.env = rq->env,
		.cwd = rq->cwd,
		.tty = rq->tty,
		.rows = rq->rows,
		.columns = rq->columns,
		.stdio = {packet->fds[0], packet->fds[1], packet->fds[2]},
	};
	struct session_host *host;
	int r;

	if (conn->in_session) {
		return err_set(e, -EBUSY, "this connection has a session already");
	}
	if (count_sessions(conn->control) >= SESSIONS_MAX) {
		return err_set(e, -EBUSY, "%d sessions are open, which is the most", SESSIONS_MAX);
	}
	if (!rq->args[0] || !*rq->args[0]) {
		return err_set(e, -EINVAL, ".args: a command is missing");
	}
	for (size_t i = 0; rq->env && rq->env[i]; i++) {
		if (strcspn(rq->env[i], "=") == 0 || !strchr(rq->env[i], '=')) {
			return err_set(
				e, -EINVAL, ".env[%zu]: '%.200s' is not NAME=VALUE", i, rq->env[i]);
		}
	}
	if (packet->fds_n != (rq->tty ? 0 : 3)) {
		return err_set(e, -EINVAL, "%zu descriptors came with the request instead of %d",
			packet->fds_n, rq->tty ? 0 : 3);
	}
	if (rq->rows > UINT16_MAX || rq->columns > UINT16_MAX) {
		return err_set(e, -ERANGE, ".rows, .columns: at most %d", UINT16_MAX);
	}
	r = keeper_session_host(conn->control->keeper, &host, e);
	if (r < 0) {
		return r;
	}
	conn->session =
		(struct session){.on_started = on_session_started, .on_exit = on_session_exit};
	r = session_start(&conn->session, host, &session, e);
	conn->in_session = r == 0;
	return r;
}

static const struct operation {
	const char *name;
	const struct json_field *fields;
	int (*run)(struct control_conn *conn, const struct request *rq, struct packet *packet,
		struct err *e);
} operations[] = {
	{"state", state_fields, op_state},
	{"signal", signal_fields, op_signal},
	{"stop", stop_fields, op_stop},
	{"exec", exec_fields, op_exec},
};

static int find_operation(const struct json *root, const struct operation **ret, struct err *e)
{
	const struct json *op = root->type == JSON_OBJECT ? json_get(root, "op") : NULL;

	if (!op || op->type != JSON_STRING) {
		return err_set(e, -EINVAL, ".op: a string is missing");
	}
	for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
		if (strcmp(op->text, operations[i].name) == 0) {
			*ret = &operations[i];
			return 0;
		}
	}
	return err_set(e, -EINVAL, ".op: '%s' is not known", op->text);
}

static int run_request(struct control_conn *conn, struct packet *packet, struct err *e)
{
	const struct json_limits limits = {.size = PACKET_MAX, .depth = 4, .members = 4096};
	_cleanup_json_ struct json_doc *doc = NULL;
	const struct operation *operation = NULL;
	struct request rq = {};
	int r = json_parse(buf_slice(&packet->text), &limits, &doc, e);

	if (r == 0) {
		r = find_operation(json_root(doc), &operation, e);
	}
	if (r == 0) {
		r = json_read(json_root(doc), operation->fields, JSON_UNKNOWN_REFUSED, &rq, e);
	}
	if (r == 0) {
		r = operation->run(conn, &rq, packet, e);
	}
	free(rq.args);
	free(rq.env);
	return r;
}

static void on_conn_ready(struct loop_io *io, [[maybe_unused]] uint32_t epoll_events)
{
	struct control_conn *conn = loop_owner(io, struct control_conn, io);
	_cleanup_packet_ struct packet packet = {};
	struct err e = {};
	int r = packet_recv(io->fd, &packet, &e);

	if (r == -EAGAIN) {
		return;
	}
	if (r <= 0 && r != -EMSGSIZE) {
		drop_conn(conn);
		return;
	}
	/* on success conn may be gone */
	if (r < 0 || run_request(conn, &packet, &e) < 0) {
		conn->waits_stop = false;
		(void)send_error(conn, &e);
	}
}

/* Turns away everybody but root, with a word. */
static bool admitted(struct control *control, int fd)
{
	static const char refused[] =
		"{\"error\":\"only root may use this socket\",\"code\":\"EPERM\"}";
	static const char busy[] = "{\"error\":\"too many connections\",\"code\":\"EBUSY\"}";
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != 0) {
		(void)send(fd, refused, sizeof(refused) - 1, MSG_NOSIGNAL);
		return false;
	}
	if (control->conns_n >= CONNS_MAX) {
		(void)send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL);
		return false;
	}
	return true;
}

static void on_listener_ready(struct loop_io *io, [[maybe_unused]] uint32_t epoll_events)
{
	struct control *control = loop_owner(io, struct control, listener);
	_cleanup_close_ int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct control_conn *conn;

	if (fd < 0 || !admitted(control, fd)) {
		return;
	}
	conn = calloc(1, sizeof(*conn));
	if (!conn) {
		return;
	}
	conn->control = control;
	conn->io = (struct loop_io){.fd = fd, .on_ready = on_conn_ready};
	if (loop_watch(control->loop, &conn->io, EPOLLIN, NULL) < 0) {
		free(conn);
		return;
	}
	(void)take_fd(&fd);
	conn->next = control->conns;
	control->conns = conn;
	control->conns_n++;
}

int control_open(struct control *control, struct loop *loop, struct keeper *keeper,
	const struct place *place, struct err *e)
{
	char name[32];
	int fd;

	*control = (struct control){.loop = loop,
		.keeper = keeper,
		.listener = {.fd = -1, .on_ready = on_listener_ready}};
	(void)snprintf(name, sizeof(name), "%u.sock", place->uid);
	fd = place_listen(place->run_fd, name, SOCK_SEQPACKET, e);
	if (fd < 0) {
		return fd;
	}
	control->listener.fd = fd;
	return loop_watch(loop, &control->listener, EPOLLIN, e);
}

void control_tell_stopped(struct control *control, int status)
{
	struct control_conn *next;

	for (struct control_conn *conn = control->conns; conn; conn = next) {
		_cleanup_buf_ struct buf text = {};
		struct json_out o = {.to = &text};

		next = conn->next;
		if (!conn->waits_stop) {
			continue;
		}
		conn->waits_stop = false;
		json_out_object(&o, NULL);
		json_out_bool(&o, "ok", true);
		packet_put_exit(&o, "exit", status);
		json_out_object_end(&o);
		(void)send_text(conn, &text, -1);
	}
}

void control_close(struct control *control, const struct place *place)
{
	char name[32];

	if (!control->loop || control->listener.fd < 0) {
		return;
	}
	(void)snprintf(name, sizeof(name), "%u.sock", place->uid);
	(void)unlinkat(place->run_fd, name, 0);
	loop_unwatch(control->loop, &control->listener);
	close_fd(&control->listener.fd);
}

void control_done(struct control *control)
{
	while (control->conns) {
		struct control_conn *conn = control->conns;

		if (conn->in_session) {
			session_done(&conn->session);
		}
		free_conn(conn);
	}
}
