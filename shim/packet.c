#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "shim/packet.h"

union fds_message {
	struct cmsghdr header;
	char room[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
};

int packet_send(int sock, struct slice text, const int *fds, size_t fds_n, struct err *e)
{
	union fds_message control = {};
	/* iov_base is not const, sendmsg(2) only reads */
	struct iovec iov = {.iov_base = (void *)(uintptr_t)text.p, .iov_len = text.n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fds_n) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(fds_n * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, fds_n * sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(fds_n * sizeof(int));
	}
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0) {
		return err_errno(e, "send to the control socket");
	}
	return 0;
}

static void take_fds(struct msghdr *msg, struct packet *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (ret->fds_n < PACKET_FDS_MAX) {
				ret->fds[ret->fds_n++] = fd;
			} else {
				close_fd(&fd);
			}
		}
	}
}

int packet_recv(int sock, struct packet *ret, struct err *e)
{
	union fds_message control = {};
	struct iovec iov;
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t n;

	*ret = (struct packet){.fds = {-1, -1, -1}};
	iov.iov_base = buf_room(&ret->text, PACKET_MAX);
	iov.iov_len = PACKET_MAX;
	if (!iov.iov_base) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	do {
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return err_errno(e, "receive from the control socket");
	}
	take_fds(&msg, ret);
	buf_added(&ret->text, (size_t)n);
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		return err_set(e, -EMSGSIZE, "a packet of more than %d bytes or %d descriptors",
			PACKET_MAX, PACKET_FDS_MAX);
	}
	return n > 0;
}

void packet_put_exit(struct json_out *o, const char *key, int status)
{
	json_out_object(o, key);
	packet_put_exit_members(o, status);
	json_out_object_end(o);
}

void packet_put_exit_members(struct json_out *o, int status)
{
	if (WIFSIGNALED(status)) {
		json_out_u64(o, "signal", (uint64_t)WTERMSIG(status));
	} else {
		json_out_u64(o, "status", (uint64_t)WEXITSTATUS(status));
	}
}

void packet_done(struct packet *packet)
{
	for (size_t i = 0; i < PACKET_FDS_MAX; i++) {
		if (i < packet->fds_n) {
			close_fd(&packet->fds[i]);
		}
	}
	packet->fds_n = 0;
	buf_done(&packet->text);
}
