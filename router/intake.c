#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "router/intake.h"
#include "router/registrar.h"
#include "router/target.h"

enum { BATCH = 64 }; /* datagrams before others have their turn */

/* Room for the credentials and nothing else: the kernel drops descriptors that were sent along. */
union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(struct ucred))];
};

static bool take_credentials(struct msghdr *msg, struct sender *ret)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	struct ucred cred;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
		c->cmsg_len != CMSG_LEN(sizeof(cred))) {
		return false;
	}
	memcpy(&cred, CMSG_DATA(c), sizeof(cred));
	*ret = (struct sender){.local = true, .uid = cred.uid, .pid = cred.pid};
	return true;
}

/* Returns false when nothing is left to read. */
static bool receive_one(struct intake *in)
{
	struct sender sender = {.uid = (uid_t)-1};
	union control control;
	struct iovec iov = {.iov_base = in->data, .iov_len = sizeof(in->data)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_name = in->local ? NULL : &sender.addr.sa,
		.msg_namelen = in->local ? 0 : sizeof(sender.addr.in6),
		.msg_control = in->local ? &control : NULL,
		.msg_controllen = in->local ? sizeof(control) : 0};
	ssize_t n = recvmsg(in->io.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0) {
		return errno == EINTR;
	}
	sender.addr.len = msg.msg_namelen;
	/* one byte more than a packet may have fits: too long ones fail in the parser */
	if (!in->local || take_credentials(&msg, &sender)) {
		(void)registrar_receive(
			in->registrar, &sender, (struct slice){.p = in->data, .n = (size_t)n});
	}
	return true;
}

static void on_datagrams(struct loop_io *io, uint32_t epoll_events)
{
	struct intake *in = loop_owner(io, struct intake, io);

	(void)epoll_events;
	for (int i = 0; i < BATCH && receive_one(in); i++) {
	}
}

int intake_new(const char *where, struct intake **ret, struct err *e)
{
	struct intake *in = calloc(1, sizeof(*in));
	struct addr bound;
	int fd;

	if (!in) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	in->local = strncmp(where, "unix:", 5) == 0;
	in->io.on_ready = on_datagrams;
	fd = in->local ? listen_unix(where + 5, SOCK_DGRAM, 0666, &in->file, e)
		       : listen_udp(where + 4, &bound, e);
	if (fd < 0) {
		free(in);
		return fd;
	}
	in->io.fd = fd;
	*ret = in;
	return 0;
}

int intake_start(struct intake *in, struct loop *loop, struct registrar *registrar, struct err *e)
{
	in->loop = loop;
	in->registrar = registrar;
	return loop_watch(loop, &in->io, EPOLLIN, e);
}

struct intake *intake_free(struct intake *in)
{
	if (in) {
		if (in->loop) {
			loop_unwatch(in->loop, &in->io);
		}
		close_fd(&in->io.fd);
		socket_file_remove(&in->file);
		free(in);
	}
	return NULL;
}

void intake_close(struct intake *in)
{
	close_fd(&in->io.fd);
}
