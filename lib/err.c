#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"

static_assert(sizeof(struct err) <= PIPE_BUF, "an error must fit into one atomic write");

const char *err_text(int errnum)
{
	static char text[64]; /* one process, no threads; valid until the next call */
	const char *plain = strerrordesc_np(errnum);

	if (!plain) {
		(void)snprintf(text, sizeof(text), "error %d", errnum);
		return text;
	}
	(void)snprintf(text, sizeof(text), "%s", plain);
	if (text[0] >= 'A' && text[0] <= 'Z') {
		text[0] = (char)(text[0] - 'A' + 'a');
	}
	return text;
}

/* "<story>: <cause>". What is too long is cut: the end of the story, which keeps a third of the room,
 * and the middle of the cause, whose end says why. */
static void join(char *msg, const char *story, const char *cause)
{
	int room = ERR_MSG_MAX - 3, least = room / 3, most = room - least;
	int n = (int)strnlen(cause, ERR_MSG_MAX - 1);
	int half = (most - 3) / 2;

	if (n <= most) {
		(void)snprintf(msg, ERR_MSG_MAX, "%.*s: %.*s", room - n, story, n, cause);
	} else {
		(void)snprintf(msg, ERR_MSG_MAX, "%.*s: %.*s...%.*s", least, story, half, cause,
			half, cause + n - half);
	}
}

/* The text is complete before e changes, as an argument may point into it. */
static void format(struct err *e, int code, const char *cause, const char *fmt, va_list ap)
{
	char story[ERR_MSG_MAX];

	(void)vsnprintf(story, sizeof(story), fmt, ap);
	*e = (struct err){.code = code};
	if (cause) {
		join(e->msg, story, cause);
	} else {
		memcpy(e->msg, story, strlen(story) + 1);
	}
}

int err_errno(struct err *e, const char *fmt, ...)
{
	int code = errno > 0 ? errno : EIO;

	if (e) {
		va_list ap;

		va_start(ap, fmt);
		format(e, code, err_text(code), fmt, ap);
		va_end(ap);
	}
	return -code;
}

int err_code(struct err *e, int r, const char *fmt, ...)
{
	if (e) {
		va_list ap;

		va_start(ap, fmt);
		format(e, -r, err_text(-r), fmt, ap);
		va_end(ap);
	}
	return r;
}

int err_set(struct err *e, int r, const char *fmt, ...)
{
	if (e) {
		va_list ap;

		va_start(ap, fmt);
		format(e, -r, NULL, fmt, ap);
		va_end(ap);
	}
	return r;
}

int err_member(struct err *e, int r, const char *member, const char *fmt, ...)
{
	char why[ERR_MSG_MAX];
	va_list ap;

	if (!e) {
		return r;
	}
	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	*e = (struct err){.code = -r};
	(void)snprintf(e->member, sizeof(e->member), "%s", member);
	(void)snprintf(e->msg, sizeof(e->msg), "%.*s: %.*s", ERR_MEMBER_MAX, member,
		(int)sizeof(e->msg) - ERR_MEMBER_MAX - 3, why);
	return r;
}

int err_wrap(struct err *e, int r, const char *fmt, ...)
{
	char story[ERR_MSG_MAX], cause[ERR_MSG_MAX];
	va_list ap;

	if (!e) {
		return r;
	}
	va_start(ap, fmt);
	(void)vsnprintf(story, sizeof(story), fmt, ap);
	va_end(ap);
	memcpy(cause, e->msg, sizeof(cause));
	e->code = -r;
	join(e->msg, story, cause);
	return r;
}

void err_clear(struct err *e)
{
	if (e) {
		*e = (struct err){};
	}
}

int err_send(int fd, const struct err *e)
{
	ssize_t n;

	do {
		n = write(fd, e, sizeof(*e));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int err_recv(int fd, struct err *ret)
{
	struct err e;
	ssize_t n;

	do {
		n = read(fd, &e, sizeof(e));
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return -errno;
	}
	if (n == 0) {
		return 0;
	}
	if ((size_t)n != sizeof(e)) {
		return -EBADMSG;
	}
	e.msg[sizeof(e.msg) - 1] = '\0';
	e.member[sizeof(e.member) - 1] = '\0';
	if (e.code <= 0) {
		e.code = EPROTO;
	}
	*ret = e;
	return 1;
}
