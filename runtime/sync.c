#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/sync.h"

int sync_pair(int fds[static 2], struct err *e)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0
		       ? err_errno(e, "make a socket pair")
		       : 0;
}

static int send_message(int fd, const struct sync_message *m)
{
	ssize_t n;

	do {
		n = send(fd, m, sizeof(*m), MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int sync_send(int fd, enum sync_type type, int64_t value)
{
	struct sync_message m;

	memset(&m, 0, sizeof(m)); /* no bytes of our stack go into the container's first process */
	m.type = type;
	m.value = value;
	return send_message(fd, &m);
}

void sync_send_failure(int fd, const struct err *failure)
{
	struct sync_message m;

	memset(&m, 0, sizeof(m));
	m.type = SYNC_FAILED;
	m.err = *failure;
	(void)send_message(fd, &m);
}

static int wait_readable(int fd, struct err *e)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int ready;

	do {
		ready = poll(&p, 1, SYNC_DEADLINE_MSEC);
	} while (ready < 0 && errno == EINTR);
	if (ready == 0) {
		return err_set(e, -ETIMEDOUT,
			"the container's first process says nothing for %d seconds",
			SYNC_DEADLINE_MSEC / 1000);
	}
	return ready < 0 ? err_errno(e, "wait for the container's first process") : 0;
}

int sync_receive(int fd, struct sync_message *ret, struct err *e)
{
	struct sync_message m;
	ssize_t n;
	int r = wait_readable(fd, e);

	if (r < 0) {
		return r;
	}
	do {
		n = recv(fd, &m, sizeof(m), 0);
	} while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET)) {
		return 0;
	}
	if (n != (ssize_t)sizeof(m)) {
		return n < 0 ? err_errno(e, "receive from the container's first process")
			     : err_set(e, -EPROTO, "a message of %zd bytes is not ours", n);
	}
	if (m.type == SYNC_FAILED) {
		m.err.msg[sizeof(m.err.msg) - 1] = '\0';
		m.err.member[sizeof(m.err.member) - 1] = '\0';
		m.err.code = m.err.code > 0 ? m.err.code : EPROTO;
		if (e) {
			*e = m.err;
		}
		return -m.err.code;
	}
	*ret = m;
	return 1;
}

int sync_expect(int fd, enum sync_type type, int64_t *ret_value, struct err *e)
{
	struct sync_message m = {};
	int r = sync_receive(fd, &m, e);

	if (r < 0) {
		return r;
	}
	if (r == 0) {
		return err_set(e, -ECHILD, "the other process ended too early");
	}
	if (m.type != type) {
		return err_set(
			e, -EPROTO, "message %d came where %d was due", (int)m.type, (int)type);
	}
	if (ret_value) {
		*ret_value = m.value;
	}
	return 0;
}
