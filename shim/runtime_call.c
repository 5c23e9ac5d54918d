#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "shim/runtime_call.h"

enum { ARGS_MAX = 32, LOG_MAX = 256 << 10, HIGH_FD = 10 };

/* The message of the last line of the runtime's log (one JSON object a line). */
static void last_message(const char *log, struct err *ret)
{
	_cleanup_buf_ struct buf text = {};
	_cleanup_json_ struct json_doc *doc = NULL;
	const struct json *msg;
	struct slice line;

	if (files_read(AT_FDCWD, log, LOG_MAX, &text, NULL) < 0) {
		return;
	}
	line = buf_slice(&text);
	while (line.n && line.p[line.n - 1] == '\n') {
		line.n--;
	}
	for (size_t at = line.n; at > 0; at--) {
		if (line.p[at - 1] == '\n') {
			line = slice_skip(line, at);
			break;
		}
	}
	if (!line.n || json_parse(line, NULL, &doc, NULL) < 0) {
		return;
	}
	msg = json_get(json_root(doc), "msg");
	if (msg && msg->type == JSON_STRING) {
		(void)err_set(ret, -EIO, "%s", msg->text);
	}
}

static void judge(struct runtime_call *call, int status, struct err *ret)
{
	if (call->timed_out) {
		(void)err_set(ret, -ETIMEDOUT, "it did not end in time");
		return;
	}
	if (WIFSIGNALED(status)) {
		(void)err_set(ret, -EIO, "it was killed by signal %d", WTERMSIG(status));
		return;
	}
	(void)err_set(ret, -EIO, "it ended with status %d", WEXITSTATUS(status));
	last_message(call->log, ret);
}

static void forget_log(struct runtime_call *call)
{
	if (call->log) {
		(void)unlink(call->log);
		free(call->log);
		call->log = NULL;
	}
}

static void on_exit_of(struct child *child, int status)
{
	struct runtime_call *call = loop_owner(child, struct runtime_call, child);
	struct runtime *runtime = call->runtime;
	struct err e = {};
	bool failed = call->timed_out || status != 0;

	loop_timer_clear(runtime->loop, &call->deadline);
	if (failed) {
		judge(call, status, &e);
		(void)err_wrap(&e, -e.code, "%s %s", runtime->path, call->verb);
	}
	forget_log(call);
	call->on_done(call, failed ? &e : NULL);
	/* now that the owner had the occasion to add what the runtime left */
	children_unhold(runtime->children);
}

static void on_deadline(struct loop_timer *timer)
{
	struct runtime_call *call = loop_owner(timer, struct runtime_call, deadline);

	call->timed_out = true;
	(void)kill(call->child.pid, SIGKILL);
}

[[gnu::noreturn]] static void exec_runtime(
	const struct runtime *runtime, const struct runtime_args *args, char *const *argv)
{
	int fds[4];

	children_reset_signals();
	/* first out of the way of 0..3, then into place */
	for (int i = 0; i < 4; i++) {
		int from = i < 3 ? args->stdio[i] : args->extra_fd;

		fds[i] = -1;
		if (from < 0 && i < 3) {
			from = open("/dev/null", O_RDWR | O_CLOEXEC);
		}
		if (from >= 0) {
			fds[i] = fcntl(from, F_DUPFD_CLOEXEC, HIGH_FD);
		}
	}
	for (int i = 0; i < 4; i++) {
		if (fds[i] >= 0 && dup2(fds[i], i) < 0) {
			_exit(127);
		}
	}
	(void)close_range(fds[3] >= 0 ? 4 : 3, ~0U, CLOSE_RANGE_CLOEXEC);
	(void)execv(runtime->path, argv);
	_exit(127);
}

static int make_argv(
	struct runtime_call *call, const char *const *args, const char **argv, struct err *e)
{
	const char *const head[] = {call->runtime->path, "--root", call->runtime->root, "--log",
		call->log, "--log-format", "json"};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(head); i++) {
		argv[n++] = head[i];
	}
	for (; *args; args++) {
		if (n == ARGS_MAX - 1) {
			return err_set(e, -E2BIG, "too many arguments for the runtime");
		}
		argv[n++] = *args;
	}
	argv[n] = NULL;
	return 0;
}

int runtime_call_start(struct runtime_call *call, struct runtime *runtime,
	const struct runtime_args *args, struct err *e)
{
	const char *argv[ARGS_MAX];
	int r;

	call->runtime = runtime;
	call->verb = args->args[0];
	call->timed_out = false;
	call->child.on_exit = on_exit_of;
	call->deadline.on_expire = on_deadline;
	if (asprintf(&call->log, "%s/runtime.%u.log", runtime->scratch, runtime->serial++) < 0) {
		call->log = NULL;
		return err_set(e, -ENOMEM, "out of memory");
	}
	r = make_argv(call, args->args, argv, e);
	if (r < 0) {
		forget_log(call);
		return r;
	}
	call->child.pid = fork();
	if (call->child.pid == 0) {
		exec_runtime(runtime, args, (char *const *)(uintptr_t)argv);
	}
	if (call->child.pid < 0) {
		call->child.pid = 0;
		r = err_errno(e, "start '%s'", runtime->path);
		forget_log(call);
		return r;
	}
	children_hold(runtime->children);
	children_add(runtime->children, &call->child);
	(void)loop_timer_set(runtime->loop, &call->deadline, args->deadline);
	return 0;
}

void runtime_call_done(struct runtime_call *call)
{
	if (!call->runtime || !call->child.pid) {
		return;
	}
	loop_timer_clear(call->runtime->loop, &call->deadline);
	(void)kill(call->child.pid, SIGKILL);
	children_forget(call->runtime->children, &call->child);
	children_unhold(call->runtime->children);
	forget_log(call);
}
