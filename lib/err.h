/*
 * Errors: a value that says what failed, on which object and why.
 *
 * Functions return 0 or a positive result on success and -errno on failure, and fill the last
 * parameter, a caller-allocated struct err, which may be NULL. Nothing here allocates, and a struct
 * err fits into one atomic pipe write (PIPE_BUF), so a child hands its error to its parent as it is.
 *
 * Messages are lower case, without a full stop, with the object in single quotes. The innermost
 * function sets the message; callers put their story before it with err_wrap(). Only main loops log.
 */
#pragma once

enum {
	ERR_MSG_MAX = 480, /* bytes, with the terminating NUL; longer text is cut, the cause last */
	ERR_MEMBER_MAX =
		128, /* JSON path of the offending member, e.g. ".linux.namespaces[2].type" */
};

struct err {
	int code; /* errno value, 0: no error */
	char member[ERR_MEMBER_MAX];
	char msg[ERR_MSG_MAX];
};

/* errno as text, first letter in lower case, as callers of OCI runtimes match it. */
const char *err_text(int errnum);

/* All of the following return a negative errno, so that `return err_...()` is the idiom. */

/* "<fmt>: <text of errno>"; returns -errno, -EIO if errno is 0. */
[[gnu::format(printf, 2, 3)]] int err_errno(struct err *e, const char *fmt, ...);
/* "<fmt>: <text of -r>"; returns r, which is negative. */
[[gnu::format(printf, 3, 4)]] int err_code(struct err *e, int r, const char *fmt, ...);
/* "<fmt>" alone; returns r, which is negative. */
[[gnu::format(printf, 3, 4)]] int err_set(struct err *e, int r, const char *fmt, ...);
/* As err_set(), and records the JSON path `member`; the message begins with it. */
[[gnu::format(printf, 4, 5)]] int err_member(
	struct err *e, int r, const char *member, const char *fmt, ...);
/* Puts "<fmt>: " before the message that is there; returns r. */
[[gnu::format(printf, 3, 4)]] int err_wrap(struct err *e, int r, const char *fmt, ...);

/* A failure that is tolerated is cleared, so that it cannot be reported later by mistake. */
void err_clear(struct err *e);

/* Writes e to fd in one write. Returns 0 or -errno. */
int err_send(int fd, const struct err *e);
/* Reads one error from fd. Returns 1: *ret is the peer's error; 0: the peer closed without one;
 * -errno: reading failed. Text from the peer is terminated and its code made positive. */
int err_recv(int fd, struct err *ret);
