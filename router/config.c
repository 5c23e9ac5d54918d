#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "router/config.h"

enum { WORKERS_MAX = 256 };

#define AT(member) offsetof(struct config, member)

static const struct cli_option options[] = {
	{"http", 0, CLI_LIST, AT(http), "ADDR",
		"serve HTTP on IPV4:PORT, [IPV6]:PORT or :PORT; port 0: any free one"},
	{"subscribe", 0, CLI_LIST, AT(subscribe), "unix:PATH|udp:ADDR", "take subscriptions here"},
	{"keys", 0, CLI_STRING, AT(keys), "DIR",
		"take subscriptions signed with the keys DIR/<key>.pem"},
	{"unsigned", 0, CLI_FLAG, AT(take_unsigned), NULL,
		"take any subscription; for trusted networks"},
	{"workers", 0, CLI_U32, AT(workers), "N", "worker processes (one per core)"},
	{"control", 0, CLI_STRING, AT(control), "PATH",
		"unix socket that tells the state as JSON to whoever connects"},
	{"user", 0, CLI_STRING, AT(user), "NAME", "become NAME once the sockets are open"},
	{"tolerance", 0, CLI_U32, AT(tolerance), "SECONDS",
		"a node silent for so long is gone (30)"},
	{"headers-timeout", 0, CLI_U32, AT(headers_timeout), "SECONDS",
		"for a client to send a request's head (10)"},
	{"connect-timeout", 0, CLI_U32, AT(connect_timeout), "SECONDS",
		"for a node to take a connection (10)"},
	{"http-timeout", 0, CLI_U32, AT(http_timeout), "SECONDS",
		"of silence within a request (500)"},
	{"keepalive", 0, CLI_U32, AT(keepalive), "SECONDS",
		"to wait for a next request; 0: close after each (5)"},
	{"max-body", 0, CLI_U32, AT(max_body), "MIB", "refuse larger request bodies (no limit)"},
	{"grace", 0, CLI_U32, AT(grace), "SECONDS", "to finish what is in flight at the end (10)"},
	{"prefix", 0, CLI_STRING, AT(prefix), "DIR", "the platform's files are below DIR"},
	{},
};

static const struct cli cli = {
	.usage = "fief-router --http ADDR --subscribe unix:PATH|udp:ADDR [options]",
	.about = "Routes HTTP requests to the nodes that subscribed.",
	.options = options,
};

static int check(const struct config *c, struct err *e)
{
	if (c->http.n == 0) {
		return err_set(e, -EINVAL, "nothing to serve: --http is missing");
	}
	if (c->keys && c->take_unsigned) {
		return err_set(e, -EINVAL, "--keys and --unsigned exclude each other");
	}
	if (c->workers < 1 || c->workers > WORKERS_MAX) {
		return err_set(e, -EINVAL, "--workers must be 1 to %d", WORKERS_MAX);
	}
	if (!c->tolerance || !c->headers_timeout || !c->connect_timeout || !c->http_timeout) {
		return err_set(e, -EINVAL, "a time of 0 seconds makes no sense here");
	}
	for (size_t i = 0; i < c->subscribe.n; i++) {
		const char *v = c->subscribe.v[i];

		if (strncmp(v, "unix:", 5) != 0 && strncmp(v, "udp:", 4) != 0) {
			return err_set(
				e, -EINVAL, "'--subscribe %s' is not unix:PATH or udp:ADDR", v);
		}
	}
	return 0;
}

int config_parse(int argc, char **argv, struct config *ret, int *ret_status)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct err e = {};
	int r;

	*ret = (struct config){.workers = cores < 1 ? 1 : (uint32_t)cores,
		.tolerance = 30,
		.headers_timeout = 10,
		.connect_timeout = 10,
		.http_timeout = 500,
		.keepalive = 5,
		.grace = 10};
	if (ret->workers > WORKERS_MAX) {
		ret->workers = WORKERS_MAX;
	}
	r = cli_parse(&cli, argc, argv, ret, &e);
	if (r >= 0 && r < argc) {
		r = err_set(&e, -EINVAL, "unexpected operand '%s'", argv[r]);
	}
	if (r >= 0) {
		r = check(ret, &e);
	}
	if (r < 0) {
		*ret_status = cli_failure(&cli, r, &e);
		config_done(ret);
		return r;
	}
	return 0;
}

void config_done(struct config *c)
{
	cli_list_done(&c->http);
	cli_list_done(&c->subscribe);
}
