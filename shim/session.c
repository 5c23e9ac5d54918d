#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "shim/bundle.h"
#include "shim/packet.h"
#include "shim/place.h"
#include "shim/session.h"

enum { NAME_SIZE = 48, CONFIG_MAX = 4 << 20, PASSWD_MAX = 1 << 20 };

static const uint64_t exec_deadline = 10 * USEC_PER_SEC;

static void file_name(const struct session *s, const char *what, char *name)
{
	(void)snprintf(name, NAME_SIZE, "exec.%u.%s", s->serial, what);
}

static void remove_files(struct session *s)
{
	static const char *const what[] = {"json", "pid", "tty"};
	char name[NAME_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(what); i++) {
		file_name(s, what[i], name);
		(void)unlinkat(s->host->place->state_fd, name, 0);
	}
	close_fd(&s->console_fd);
}

/* The shell in U's line of the bundle's passwd file, cut out of text. */
static const char *login_shell(const struct bundle *b, struct buf *text)
{
	static const char fallback[] = "/bin/sh";
	char *line, *end, *shell, *save = NULL;
	char start[24];

	(void)snprintf(start, sizeof(start), "%u:", b->uid);
	if (files_read(b->dir_fd, "mnt/passwd", PASSWD_MAX, text, NULL) < 0 || !buf_str(text)) {
		return fallback;
	}
	for (line = strtok_r(text->p, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, start, strlen(start)) != 0) {
			continue;
		}
		end = strrchr(line, ':');
		shell = end + 1;
		return *shell == '/' ? shell : fallback;
	}
	return fallback;
}

static bool env_has(const char *const *env, const char *var)
{
	size_t n = strcspn(var, "=") + 1;

	for (; env && *env; env++) {
		if (strncmp(*env, var, n) == 0) {
			return true;
		}
	}
	return false;
}

[[gnu::format(printf, 3, 4)]] static void put_env(
	struct json_out *o, const struct session_request *rq, const char *fmt, ...)
{
	char var[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(var, sizeof(var), fmt, ap);
	va_end(ap);
	if (!env_has(rq->env, var)) {
		json_out_str(o, NULL, var);
	}
}

static void put_environment(
	struct json_out *o, const struct bundle *b, const struct session_request *rq)
{
	_cleanup_buf_ struct buf passwd = {};

	json_out_array(o, "env");
	put_env(o, rq, "HOME=%s", b->home);
	put_env(o, rq, "USER=%u", b->uid);
	put_env(o, rq, "LOGNAME=%u", b->uid);
	put_env(o, rq, "SHELL=%s", login_shell(b, &passwd));
	put_env(o, rq, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	put_env(o, rq, "TERM=%s", rq->tty ? "xterm" : "dumb");
	for (const char **var = rq->env; var && *var; var++) {
		json_out_str(o, NULL, *var);
	}
	json_out_array_end(o);
}

static void put_no_capabilities(struct json_out *o)
{
	static const char *const sets[] = {
		"bounding", "effective", "inheritable", "permitted", "ambient"};

	json_out_object(o, "capabilities");
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		json_out_array(o, sets[i]);
		json_out_array_end(o);
	}
	json_out_object_end(o);
}

/* What config.json says of the container's first process holds for sessions too. */
static void put_limits(struct json_out *o, const struct json *config)
{
	static const char *const members[] = {"rlimits", "oomScoreAdj"};
	const struct json *process = json_get(config, "process");

	for (size_t i = 0; process && i < ARRAY_LEN(members); i++) {
		const struct json *v = json_get(process, members[i]);

		if (v) {
			json_out_value(o, members[i], v);
		}
	}
}

static int write_process(struct session *s, const struct session_request *rq, struct err *e)
{
	const struct json_limits limits = {.size = CONFIG_MAX, .depth = 64, .members = 65536};
	const struct bundle *b = s->host->bundle;
	_cleanup_json_ struct json_doc *config = NULL;
	_cleanup_buf_ struct buf text = {};
	struct json_out o = {.to = &text};
	char name[NAME_SIZE];
	int r = json_load(b->dir_fd, "config.json", &limits, &config, e);

	if (r < 0) {
		return r;
	}
	json_out_object(&o, NULL);
	json_out_bool(&o, "terminal", rq->tty);
	json_out_object(&o, "user");
	json_out_u64(&o, "uid", b->uid);
	json_out_u64(&o, "gid", b->uid);
	json_out_object_end(&o);
	json_out_strv(&o, "args", rq->args);
	put_environment(&o, b, rq);
	json_out_str(&o, "cwd", rq->cwd ? rq->cwd : b->home);
	json_out_bool(&o, "noNewPrivileges", true);
	put_no_capabilities(&o);
	put_limits(&o, json_root(config));
	json_out_object_end(&o);
	if (buf_failed(&text)) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	file_name(s, "json", name);
	return files_write_atomic(s->host->place->state_fd, name, 0600, buf_slice(&text), e);
}

static int read_pid(struct session *s, pid_t *ret, struct err *e)
{
	_cleanup_buf_ struct buf text = {};
	char name[NAME_SIZE];
	unsigned long pid;
	int r;

	file_name(s, "pid", name);
	r = files_read(s->host->place->state_fd, name, 32, &text, e);
	if (r < 0) {
		return r;
	}
	while (text.n && text.p[text.n - 1] == '\n') {
		text.n--;
	}
	r = cli_number(buf_str(&text), 1 << 22, &pid, e);
	if (r == 0 && pid < 2) {
		r = err_set(e, -EINVAL, "'%lu' is no pid", pid);
	}
	*ret = (pid_t)pid;
	return r;
}

/* The runtime has connected, sent the master of the pty and gone. */
static int take_console(struct session *s, int *ret_master, struct err *e)
{
	struct winsize size = {
		.ws_row = (unsigned short)s->rows, .ws_col = (unsigned short)s->columns};
	_cleanup_packet_ struct packet packet = {};
	_cleanup_close_ int conn = -1;
	int r;

	if (s->console_fd < 0) {
		*ret_master = -1;
		return 0;
	}
	conn = accept4(s->console_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (conn < 0) {
		return err_errno(e, "the runtime sent no terminal");
	}
	r = packet_recv(conn, &packet, e);
	if (r < 0) {
		return r;
	}
	if (packet.fds_n != 1) {
		return err_set(e, -EPROTO, "the runtime sent no terminal");
	}
	*ret_master = take_fd(&packet.fds[0]);
	if (s->rows && s->columns) {
		(void)ioctl(*ret_master, TIOCSWINSZ, &size);
	}
	return 0;
}

static void on_session_exit(struct child *child, int status)
{
	struct session *s = loop_owner(child, struct session, child);

	s->on_exit(s, status);
}

static void on_exec_done(struct runtime_call *call, const struct err *failure)
{
	struct session *s = loop_owner(call, struct session, call);
	_cleanup_close_ int master = -1;
	struct err e = {};
	pid_t pid = 0;
	int r = failure ? -failure->code : read_pid(s, &pid, &e);

	if (r == 0) {
		r = take_console(s, &master, &e);
	}
	remove_files(s);
	if (r < 0) {
		if (pid > 1) {
			(void)kill(pid, SIGKILL); /* not reaped yet, so it is still that process */
		}
		s->on_started(s, -1, failure ? failure : &e);
		return;
	}
	s->child = (struct child){.pid = pid, .on_exit = on_session_exit};
	children_add(s->host->runtime->children, &s->child);
	if (s->hung_up) {
		(void)kill(pid, SIGHUP);
	}
	s->on_started(s, master, NULL);
}

static int call_exec(struct session *s, const struct session_request *rq, struct err *e)
{
	_cleanup_free_ char *process = NULL, *pid_file = NULL, *console = NULL;
	const struct place *place = s->host->place;
	const char *args[12];
	size_t n = 0;

	/* the console socket by a short path: socket addresses are limited to 107 bytes */
	if (asprintf(&process, "%s/exec.%u.json", place->state, s->serial) < 0 ||
		asprintf(&pid_file, "%s/exec.%u.pid", place->state, s->serial) < 0 ||
		asprintf(&console, "/proc/%d/fd/%d/exec.%u.tty", (int)getpid(), place->state_fd,
			s->serial) < 0) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	args[n++] = "exec";
	args[n++] = "--process";
	args[n++] = process;
	args[n++] = "--detach";
	args[n++] = "--pid-file";
	args[n++] = pid_file;
	if (rq->tty) {
		args[n++] = "--console-socket";
		args[n++] = console;
	}
	args[n++] = s->host->id;
	args[n] = NULL;
	return runtime_call_start(&s->call, s->host->runtime,
		&(const struct runtime_args){
			.args = args,
			.stdio = {rq->tty ? -1 : rq->stdio[0], rq->tty ? -1 : rq->stdio[1],
				rq->tty ? -1 : rq->stdio[2]},
			.extra_fd = -1,
			.deadline = exec_deadline,
		},
		e);
}

int session_start(struct session *session, struct session_host *host,
	const struct session_request *request, struct err *e)
{
	char name[NAME_SIZE];
	int r;

	session->host = host;
	session->serial = host->serial++;
	session->console_fd = -1;
	session->rows = request->rows;
	session->columns = request->columns;
	session->call.on_done = on_exec_done;
	r = write_process(session, request, e);
	if (r == 0 && request->tty) {
		file_name(session, "tty", name);
		r = session->console_fd = place_listen(host->place->state_fd, name, SOCK_STREAM, e);
	}
	if (r >= 0) {
		r = call_exec(session, request, e);
	}
	if (r < 0) {
		remove_files(session);
	}
	return r < 0 ? r : 0;
}

void session_hang_up(struct session *session)
{
	session->hung_up = true;
	if (session->child.pid) {
		(void)kill(session->child.pid, SIGHUP);
	}
}

void session_done(struct session *session)
{
	if (!session->host) {
		return;
	}
	runtime_call_done(&session->call);
	if (session->child.pid) {
		children_forget(session->host->runtime->children, &session->child);
	}
	remove_files(session);
}
