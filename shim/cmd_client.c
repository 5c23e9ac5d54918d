/* The short verbs that ask a running shim: state, signal, stop; and logs, which only reads. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"
#include "shim/client.h"
#include "shim/verbs.h"

struct options {
	const char *prefix;
	bool json;
	uint32_t timeout;
};

#define PREFIX_OPTION                                                                              \
	{                                                                                          \
		"prefix", 0, CLI_STRING, offsetof(struct options, prefix), "DIR",                  \
			"put all of fief's paths below DIR"                                        \
	}

static const struct cli_option plain_table[] = {PREFIX_OPTION, {}};

/* Parses options, the uid and `operands` more. Returns -1 to go on, else the exit status. */
static int parse(const struct cli *cli, int argc, char **argv, struct options *options,
	uint32_t *ret_uid, int operands, char ***ret_rest)
{
	struct err e = {};
	int at = cli_parse(cli, argc, argv, options, &e);

	if (at >= 0 && argc - at != 1 + operands) {
		at = err_set(&e, -EINVAL, "a container%s needed",
			operands ? " and a signal are" : " is");
	}
	if (at >= 0) {
		int r = client_uid(argv[at], ret_uid, &e);

		at = r < 0 ? r : at;
	}
	if (at < 0) {
		return cli_failure(cli, at, &e);
	}
	*ret_rest = argv + at + 1;
	return -1;
}

static void print_state(const struct json *reply)
{
	const struct json *v;

	json_each(v, reply)
	{
		if (strcmp(v->key, "ok") == 0) {
			continue;
		}
		if (v->type == JSON_OBJECT && v->first) {
			printf("%-14s %s %s\n", v->key, v->first->key, v->first->text);
		} else {
			printf("%-14s %s\n", v->key, v->text ? v->text : "-");
		}
	}
}

/* What is left of a container whose shim has gone: its exit status on disk. */
static int stopped_state(const struct options *options, uint32_t uid, struct buf *to, struct err *e)
{
	_cleanup_json_ struct json_doc *doc = NULL;
	_cleanup_free_ char *path = NULL;
	struct json_out o = {.to = to};
	const struct json *v;
	char tail[48];
	int r;

	(void)snprintf(tail, sizeof(tail), "%u/exit.json", uid);
	path = path_of(options->prefix, PATH_SHIM_STATE, tail);
	r = json_load(AT_FDCWD, path, NULL, &doc, e);
	if (r == -ENOENT) {
		return err_set(e, r, "container %u is not running and has not run here", uid);
	}
	if (r < 0) {
		return r;
	}
	json_out_object(&o, NULL);
	json_out_u64(&o, "uid", uid);
	json_out_str(&o, "state", "stopped");
	json_out_object(&o, "exit");
	json_each(v, json_root(doc))
	{
		json_out_value(&o, v->key, v);
	}
	json_out_object_end(&o);
	json_out_object_end(&o);
	return 0;
}

static int ask_state(const struct options *options, uint32_t uid, struct buf *to, struct err *e)
{
	_cleanup_json_ struct json_doc *doc = NULL;
	_cleanup_close_ int sock = client_connect(options->prefix, uid, e);
	_cleanup_buf_ struct buf request = {};
	struct json_out o = {.to = to};
	int r;

	if (sock == -ENOENT || sock == -ECONNREFUSED) {
		return stopped_state(options, uid, to, e);
	}
	if (sock < 0) {
		return sock;
	}
	buf_put(&request, SLICE("{\"op\":\"state\"}"));
	r = client_ask(sock, &request, &doc, e);
	if (r == 0) {
		json_out_value(&o, NULL, json_root(doc));
	}
	return r;
}

int verb_state([[maybe_unused]] const void *globals, int argc, char **argv)
{
	static const struct cli_option table[] = {PREFIX_OPTION,
		{"json", 0, CLI_FLAG, offsetof(struct options, json), NULL, "print JSON"}, {}};
	static const struct cli cli = {
		.usage = "fief-shim state UID [--json] [--prefix DIR]",
		.about = "Shows state, PID, restarts, limits hit and the last exit status.",
		.options = table,
	};
	_cleanup_json_ struct json_doc *doc = NULL;
	_cleanup_buf_ struct buf text = {};
	struct options options = {};
	struct err e = {};
	uint32_t uid = 0;
	char **rest;
	int status = parse(&cli, argc, argv, &options, &uid, 0, &rest);

	if (status >= 0) {
		return status;
	}
	if (ask_state(&options, uid, &text, &e) < 0 ||
		json_parse(buf_slice(&text), NULL, &doc, &e) < 0) {
		return log_failure(&e);
	}
	if (options.json) {
		printf("%s\n", buf_str(&text));
	} else {
		print_state(json_root(doc));
	}
	return 0;
}

static int signal_number(const char *name, struct err *e)
{
	unsigned long n;

	if (*name >= '0' && *name <= '9') {
		int r = cli_number(name, 64, &n, e);

		return r < 0 ? r : (int)n;
	}
	if (strncmp(name, "SIG", 3) == 0) {
		name += 3;
	}
	for (int sig = 1; sig < NSIG; sig++) {
		const char *known = sigabbrev_np(sig);

		if (known && strcmp(known, name) == 0) {
			return sig;
		}
	}
	return err_set(e, -EINVAL, "'%s' is not a signal", name);
}

int verb_signal([[maybe_unused]] const void *globals, int argc, char **argv)
{
	static const struct cli cli = {
		.usage = "fief-shim signal UID SIGNAL [--prefix DIR]",
		.about = "Sends a signal, by name or number, to PID 1 of the container.",
		.options = plain_table,
	};
	_cleanup_json_ struct json_doc *doc = NULL;
	_cleanup_buf_ struct buf request = {};
	_cleanup_close_ int sock = -1;
	struct options options = {};
	struct err e = {};
	uint32_t uid = 0;
	char **rest;
	int sig, status = parse(&cli, argc, argv, &options, &uid, 1, &rest);

	if (status >= 0) {
		return status;
	}
	sig = signal_number(rest[0], &e);
	if (sig < 0) {
		return cli_failure(&cli, sig, &e);
	}
	sock = client_connect(options.prefix, uid, &e);
	if (sock < 0) {
		return log_failure(&e);
	}
	buf_putf(&request, "{\"op\":\"signal\",\"signal\":%d}", sig);
	return client_ask(sock, &request, &doc, &e) < 0 ? log_failure(&e) : 0;
}

/* Until the shim has closed the connection: then its lock is free and its mounts are gone. */
static void wait_for_end(int sock)
{
	struct packet packet;
	int r;

	do {
		r = packet_recv(sock, &packet, NULL);
		packet_done(&packet);
	} while (r > 0);
}

int verb_stop([[maybe_unused]] const void *globals, int argc, char **argv)
{
	static const struct cli_option table[] = {PREFIX_OPTION,
		{"timeout", 't', CLI_U32, offsetof(struct options, timeout), "SECONDS",
			"until it is killed (default: of the bundle)"},
		{}};
	static const struct cli cli = {
		.usage = "fief-shim stop UID [--timeout SECONDS] [--prefix DIR]",
		.about = "Stops a container: its sites unsubscribe and end; what has not ended in "
			 "time is\n"
			 "killed. A container that does not run is stopped already.",
		.options = table,
	};
	_cleanup_json_ struct json_doc *doc = NULL;
	_cleanup_buf_ struct buf request = {};
	_cleanup_close_ int sock = -1;
	struct options options = {.timeout = UINT32_MAX};
	struct err e = {};
	uint32_t uid = 0;
	char **rest;
	int r, status = parse(&cli, argc, argv, &options, &uid, 0, &rest);

	if (status >= 0) {
		return status;
	}
	sock = client_connect(options.prefix, uid, &e);
	if (sock == -ENOENT || sock == -ECONNREFUSED) {
		return 0;
	}
	if (sock < 0) {
		return log_failure(&e);
	}
	buf_put_str(&request, "{\"op\":\"stop\"");
	if (options.timeout != UINT32_MAX) {
		buf_putf(&request, ",\"timeout\":%u", options.timeout);
	}
	buf_put_str(&request, "}");
	r = client_ask(sock, &request, &doc, &e);
	if (r < 0 && r != -ESRCH && r != -ECONNRESET) {
		return log_failure(&e);
	}
	wait_for_end(sock);
	return 0;
}

int verb_logs([[maybe_unused]] const void *globals, int argc, char **argv)
{
	static const struct cli cli = {
		.usage = "fief-shim logs UID [--prefix DIR]",
		.about = "Prints the current log of the container.",
		.options = plain_table,
	};
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	struct options options = {};
	struct err e = {};
	uint32_t uid = 0;
	char tail[64], chunk[65536], **rest;
	ssize_t n;
	int status = parse(&cli, argc, argv, &options, &uid, 0, &rest);

	if (status >= 0) {
		return status;
	}
	(void)snprintf(tail, sizeof(tail), "%u/log/container.log", uid);
	path = path_of(options.prefix, PATH_SHIM_STATE, tail);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		(void)err_errno(&e, "open '%s'", path);
		return log_failure(&e);
	}
	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		if (files_write_all(STDOUT_FILENO, (struct slice){.p = chunk, .n = (size_t)n}) <
			0) {
			return 1;
		}
	}
	return 0;
}
