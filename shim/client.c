#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/paths.h"
#include "shim/client.h"
#include "shim/place.h"

int client_uid(const char *text, uint32_t *ret, struct err *e)
{
	unsigned long uid;
	int r = cli_number(text, UID_LAST, &uid, e);

	if (r == 0 && uid < UID_FIRST) {
		r = err_set(e, -ERANGE, "'%s' is not in %d..%d", text, UID_FIRST, UID_LAST);
	}
	if (r < 0) {
		return err_wrap(e, r, "container");
	}
	*ret = (uint32_t)uid;
	return 0;
}

enum { STATE_SIZE_MAX = 1 << 20 };

/* What `fief state` prints, until its end. */
static void ask_runtime(const char *root, char *id, struct buf *to)
{
	_cleanup_free_ char *fief = path_program("fief", NULL);
	char *const argv[] = {
		fief, (char[]){"--root"}, (char *)(uintptr_t)root, (char[]){"state"}, id, NULL};
	char *room;
	ssize_t n = 0;
	int pair[2];
	pid_t pid;

	if (!fief || pipe2(pair, O_CLOEXEC) < 0) {
		return;
	}
	pid = fork();
	if (pid == 0) {
		(void)dup2(pair[1], STDOUT_FILENO);
		(void)execv(fief, argv);
		_exit(127);
	}
	(void)close(pair[1]);
	while (pid > 0 && to->n < STATE_SIZE_MAX && (room = buf_room(to, PIPE_BUF)) &&
		(n = read(pair[0], room, PIPE_BUF)) > 0) {
		buf_added(to, (size_t)n);
	}
	(void)close(pair[0]);
	if (pid > 0) {
		(void)waitpid(pid, NULL, 0);
	}
}

/* No shim answers. -EOWNERDEAD when the runtime has the container all the same: its shim was killed.
 * What the runtime has but cannot tell about counts as running. */
static int refuse_orphan(const char *prefix, uint32_t uid, struct err *e)
{
	_cleanup_free_ char *root = path_of(prefix, PATH_RUNTIME, NULL), *dir = NULL;
	_cleanup_json_ struct json_doc *doc = NULL;
	_cleanup_buf_ struct buf text = {};
	const struct json *status = NULL;
	char id[16];

	(void)snprintf(id, sizeof(id), "%u", uid);
	dir = path_of(prefix, PATH_RUNTIME, id);
	if (access(dir, F_OK) < 0) {
		return 0;
	}
	ask_runtime(root, id, &text);
	if (json_parse(buf_slice(&text), NULL, &doc, NULL) == 0 &&
		json_root(doc)->type == JSON_OBJECT) {
		status = json_get(json_root(doc), "status");
	}
	if (status && status->type == JSON_STRING && strcmp(status->text, "stopped") == 0) {
		return 0;
	}
	return err_set(e, -EOWNERDEAD,
		"container %u runs without a shim, which was killed: "
		"'fief --root %s delete --force %u' ends it",
		uid, root, uid);
}

static int no_shim(const char *prefix, uint32_t uid, int why, struct err *e)
{
	int r = refuse_orphan(prefix, uid, e);

	return r < 0 ? r : err_set(e, why, "container %u is not running", uid);
}

int client_connect(const char *prefix, uint32_t uid, struct err *e)
{
	_cleanup_free_ char *run = path_of(prefix, PATH_SHIM_RUN, NULL);
	_cleanup_close_ int dir = open(run, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un at;
	char name[32];
	int r = 0;

	(void)snprintf(name, sizeof(name), "%u.sock", uid);
	if (dir >= 0 && sock >= 0) {
		r = place_address(dir, name, &at, e);
	}
	if (r < 0) {
		return r;
	}
	if (dir < 0 || sock < 0 || connect(sock, (struct sockaddr *)&at, sizeof(at)) < 0) {
		r = -errno;
		return r == -ENOENT || r == -ECONNREFUSED
			       ? no_shim(prefix, uid, r, e)
			       : err_code(e, r, "connect to the shim of container %u", uid);
	}
	return take_fd(&sock);
}

int client_reply(int sock, struct packet *packet, struct json_doc **ret, struct err *e)
{
	_cleanup_packet_ struct packet own = {};
	struct packet *p = packet ? packet : &own;
	const struct json *error, *code;
	int r = packet_recv(sock, p, e);

	if (r <= 0) {
		return r < 0 ? r : err_set(e, -ECONNRESET, "the shim has ended");
	}
	r = json_parse(buf_slice(&p->text), NULL, ret, e);
	if (r < 0) {
		return err_wrap(e, r, "reply of the shim");
	}
	error = json_get(json_root(*ret), "error");
	code = json_get(json_root(*ret), "code");
	if (error && error->type == JSON_STRING) {
		bool gone = code && code->type == JSON_STRING && strcmp(code->text, "ESRCH") == 0;

		return err_set(e, gone ? -ESRCH : -EREMOTEIO, "%s", error->text);
	}
	return 0;
}

int client_ask(int sock, struct buf *request, struct json_doc **ret, struct err *e)
{
	int r = packet_send(sock, buf_slice(request), NULL, 0, e);

	return r < 0 ? r : client_reply(sock, NULL, ret, e);
}

int client_exit_status(const struct json *reply, int *ret, struct err *e)
{
	const struct json *end = json_get(reply, "exit"), *v;
	int n = 0, r;

	if (!end || end->type != JSON_OBJECT) {
		return err_set(e, -EBADMSG, "reply of the shim: no exit status");
	}
	v = json_get(end, "signal");
	if (v) {
		r = json_read_int(v, &n, e);
		*ret = 128 + n;
		return r;
	}
	v = json_get(end, "status");
	r = v ? json_read_int(v, &n, e) : err_set(e, -EBADMSG, "reply of the shim: no exit status");
	*ret = n;
	return r;
}
