#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
			       ? err_set(e, r, "container %u is not running", uid)
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
