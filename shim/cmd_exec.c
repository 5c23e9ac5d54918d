/*
 * fief-shim exec: a command in a container as its customer. Without --tty the command has our own
 * three descriptors, but never our terminal: a process that stays behind could read from it what is
 * typed later, so a pipe stands between. With --tty the shim hands over the master of a pty and we
 * carry bytes and window sizes between it and our terminal, which is raw meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "shim/client.h"
#include "shim/verbs.h"

struct options {
	const char *prefix, *cwd;
	struct cli_list env;
	bool tty;
};

static const struct cli_option table[] = {
	{"tty", 't', CLI_FLAG, offsetof(struct options, tty), NULL, "on a terminal of its own"},
	{"env", 'e', CLI_LIST, offsetof(struct options, env), "NAME=VALUE",
		"add to the environment (repeatable)"},
	{"cwd", 0, CLI_STRING, offsetof(struct options, cwd), "DIR",
		"working directory (default: the home)"},
	{"prefix", 0, CLI_STRING, offsetof(struct options, prefix), "DIR",
		"put all of fief's paths below DIR"},
	{},
};

static const struct cli cli = {
	.usage = "fief-shim exec UID [options] [--] COMMAND [ARG...]",
	.about = "Runs a command inside as the customer. The exit status is that of the command,\n"
		 "128 + N after signal N.",
	.options = table,
	.stop_at_operand = true,
};

static void write_request(const struct options *options, char **args, struct buf *to)
{
	struct winsize size = {};
	struct json_out o = {.to = to};
	const char *term = getenv("TERM");
	char term_var[128];

	json_out_object(&o, NULL);
	json_out_str(&o, "op", "exec");
	json_out_strv(&o, "args", (const char *const *)args);
	json_out_array(&o, "env");
	for (size_t i = 0; i < options->env.n; i++) {
		json_out_str(&o, NULL, options->env.v[i]);
	}
	if (options->tty && term &&
		snprintf(term_var, sizeof(term_var), "TERM=%s", term) < (int)sizeof(term_var)) {
		json_out_str(&o, NULL, term_var);
	}
	json_out_array_end(&o);
	if (options->cwd) {
		json_out_str(&o, "cwd", options->cwd);
	}
	json_out_bool(&o, "tty", options->tty);
	if (options->tty && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
		json_out_u64(&o, "rows", size.ws_row);
		json_out_u64(&o, "columns", size.ws_col);
	}
	json_out_object_end(&o);
}

static int make_raw(struct termios *ret_before)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, ret_before) < 0) {
		return -errno; /* not a terminal: bytes are carried as they come */
	}
	raw = *ret_before;
	cfmakeraw(&raw);
	return tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0 ? -errno : 0;
}

/* Carries what is there; false at the end of `from`. */
static bool carry(int from, int to)
{
	char chunk[16384];
	ssize_t n = read(from, chunk, sizeof(chunk));

	if (n <= 0) {
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	}
	return files_write_all(to, (struct slice){.p = chunk, .n = (size_t)n}) == 0;
}

static void pass_window_size(int signals, int master)
{
	struct signalfd_siginfo info;
	struct winsize size;

	(void)!read(signals, &info, sizeof(info));
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
		(void)ioctl(master, TIOCSWINSZ, &size);
	}
}

/* Until the terminal of the session is closed on the other side. */
static void relay(int master, int signals)
{
	enum { IN, OUT, SIGNALS, FDS };
	struct pollfd fds[FDS] = {
		[IN] = {.fd = STDIN_FILENO, .events = POLLIN},
		[OUT] = {.fd = master, .events = POLLIN},
		[SIGNALS] = {.fd = signals, .events = POLLIN},
	};
	const char end_of_file = 4; /* ^D */

	for (;;) {
		if (poll(fds, FDS, -1) < 0 && errno != EINTR) {
			return;
		}
		if (fds[SIGNALS].revents) {
			pass_window_size(signals, master);
		}
		if (fds[OUT].revents && !carry(master, STDOUT_FILENO)) {
			return;
		}
		if (fds[IN].revents && !carry(STDIN_FILENO, master)) {
			(void)!write(master, &end_of_file, 1);
			fds[IN].fd = -1;
		}
	}
}

static void on_terminal(int master)
{
	_cleanup_close_ int signals = loop_signal_fd(&(const int){SIGWINCH}, 1, NULL);
	struct termios before;
	int raw = make_raw(&before);

	relay(master, signals);
	if (raw == 0) {
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	}
}

enum { STREAMS = 3, DRAIN_MAX = 64 };

struct streams {
	int inner[STREAMS]; /* what the command gets; owned where outer is set */
	int outer[STREAMS]; /* owned, our end of the pipe before a terminal; -1: none */
};

static void streams_done(struct streams *s)
{
	for (int i = 0; i < STREAMS; i++) {
		if (s->outer[i] >= 0) {
			close_fd(&s->inner[i]);
			close_fd(&s->outer[i]);
		}
	}
}
#define _cleanup_streams_ _cleanup_(streams_done)

static int open_streams(struct streams *s, struct err *e)
{
	for (int i = 0; i < STREAMS; i++) {
		int pair[2];

		s->inner[i] = i;
		if (!isatty(i)) {
			continue;
		}
		if (pipe2(pair, O_CLOEXEC) < 0) {
			return err_errno(e, "make a pipe");
		}
		s->inner[i] = pair[i == STDIN_FILENO ? 0 : 1];
		s->outer[i] = pair[i == STDIN_FILENO ? 1 : 0];
	}
	return 0;
}

/* What the command wrote last; not what processes that it left behind go on to write. */
static void drain_streams(struct streams *s)
{
	for (int i = STDOUT_FILENO; i < STREAMS; i++) {
		struct pollfd fd = {.fd = s->outer[i], .events = POLLIN};

		for (int n = 0; n < DRAIN_MAX && poll(&fd, 1, 0) > 0; n++) {
			if (!carry(s->outer[i], i)) {
				break;
			}
		}
	}
}

/* Until the shim has something to say: the exit status. */
static void relay_streams(struct streams *s, int sock)
{
	struct pollfd fds[STREAMS + 1] = {
		{.fd = s->outer[STDIN_FILENO] >= 0 ? STDIN_FILENO : -1, .events = POLLIN},
		{.fd = s->outer[STDOUT_FILENO], .events = POLLIN},
		{.fd = s->outer[STDERR_FILENO], .events = POLLIN},
		{.fd = sock, .events = POLLIN},
	};

	for (int i = 0; i < STREAMS; i++) {
		if (s->outer[i] >= 0) {
			close_fd(&s->inner[i]); /* the shim has its own copy now */
		}
	}
	(void)signal(SIGPIPE, SIG_IGN); /* a command that does not read is no failure of ours */
	while (!fds[STREAMS].revents) {
		if (poll(fds, STREAMS + 1, -1) < 0 && errno != EINTR) {
			return;
		}
		for (int i = STDOUT_FILENO; i < STREAMS; i++) {
			if (fds[i].revents && !carry(s->outer[i], i)) {
				fds[i].fd = -1;
			}
		}
		if (fds[STDIN_FILENO].revents && !carry(STDIN_FILENO, s->outer[STDIN_FILENO])) {
			fds[STDIN_FILENO].fd = -1;
			close_fd(&s->outer[STDIN_FILENO]);
		}
	}
	drain_streams(s);
}

static int run(const struct options *options, uint32_t uid, char **args, struct err *e)
{
	_cleanup_streams_ struct streams streams = {.outer = {-1, -1, -1}};
	_cleanup_json_ struct json_doc *started = NULL, *ended = NULL;
	_cleanup_packet_ struct packet packet = {};
	_cleanup_buf_ struct buf request = {};
	_cleanup_close_ int sock = client_connect(options->prefix, uid, e);
	int status = 1, r;

	if (sock < 0) {
		return sock;
	}
	write_request(options, args, &request);
	if (buf_failed(&request) || request.n > PACKET_MAX) {
		return err_set(e, -E2BIG, "the command is too long");
	}
	r = options->tty ? 0 : open_streams(&streams, e);
	if (r == 0) {
		r = packet_send(
			sock, buf_slice(&request), streams.inner, options->tty ? 0 : STREAMS, e);
	}
	if (r == 0) {
		r = client_reply(sock, &packet, &started, e);
	}
	if (r == 0 && options->tty) {
		if (packet.fds_n != 1) {
			return err_set(e, -EBADMSG, "reply of the shim: no terminal");
		}
		on_terminal(packet.fds[0]);
	}
	if (r == 0 && !options->tty) {
		relay_streams(&streams, sock);
	}
	if (r == 0) {
		r = client_reply(sock, NULL, &ended, e);
	}
	if (r == 0) {
		r = client_exit_status(json_root(ended), &status, e);
	}
	return r < 0 ? r : status;
}

/* Options may stand before and after the uid. */
static int parse(int argc, char **argv, struct options *options, uint32_t *ret_uid, struct err *e)
{
	int at = cli_parse(&cli, argc, argv, options, e), more;

	if (at < 0 || at == argc) {
		return at < 0 ? at : err_set(e, -EINVAL, "a container is needed");
	}
	more = client_uid(argv[at], ret_uid, e);
	if (more == 0) {
		more = cli_parse(&cli, argc - at, argv + at, options, e);
	}
	if (more < 0 || at + more == argc) {
		return more < 0 ? more : err_set(e, -EINVAL, "a command is needed");
	}
	return at + more;
}

int verb_exec([[maybe_unused]] const void *globals, int argc, char **argv)
{
	struct options options = {};
	struct err e = {};
	uint32_t uid = 0;
	int at = parse(argc, argv, &options, &uid, &e), r;

	if (at < 0) {
		return cli_failure(&cli, at, &e);
	}
	r = run(&options, uid, argv + at, &e);
	cli_list_done(&options.env);
	return r < 0 ? log_failure(&e) : r;
}
