/*
 * The command line of fief-router.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/cli.h"

struct err;

struct config {
	struct cli_list http;	   /* --http, as given */
	struct cli_list subscribe; /* --subscribe, as given */
	const char *keys;	   /* NULL: none */
	bool take_unsigned;
	const char *control; /* NULL: none */
	const char *user;    /* NULL: stay */
	const char *prefix;  /* NULL: none */
	uint32_t workers;
	uint32_t tolerance; /* this and the following: seconds */
	uint32_t headers_timeout;
	uint32_t connect_timeout;
	uint32_t http_timeout;
	uint32_t keepalive;
	uint32_t grace;
	uint32_t max_body; /* MiB; 0: no limit */
};

/* Returns 0, or a negative result after which *ret_status is the exit status; what had to be said
 * was said. */
int config_parse(int argc, char **argv, struct config *ret, int *ret_status);
void config_done(struct config *c);
