/*
 * fief-image: makes, checks and removes the distributions that containers run.
 *
 * Runs as root and trusts the operator; archives that it imports are hostile (images/extract.h).
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "images/verbs.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/log.h"

static const struct cli_option options[] = {
	{"prefix", 0, CLI_STRING, offsetof(struct globals, prefix), "DIR",
		"keep everything below DIR instead of /"},
	{},
};

static const struct cli cli = {
	.usage = "fief-image [--prefix DIR] VERB ...",
	.about = "Distributions for containers. Every verb has --help.\n\n"
		 "  build RECIPE              builds an image from a distribution's archive\n"
		 "  import NAME DIR|TARBALL   makes an image of a tree\n"
		 "  list                      names the images\n"
		 "  show NAME                 prints the manifest of an image\n"
		 "  verify NAME               compares an image with its digest\n"
		 "  rm NAME                   removes an image",
	.options = options,
	.stop_at_operand = true,
};

static const struct {
	const char *name;
	int (*run)(const struct globals *g, int argc, char **argv);
} verbs[] = {
	{"build", cmd_build},
	{"import", cmd_import},
	{"list", cmd_list},
	{"show", cmd_show},
	{"verify", cmd_verify},
	{"rm", cmd_rm},
};

int main(int argc, char **argv)
{
	struct globals g = {};
	struct err e = {};
	int at;

	log_set_name("fief-image");
	(void)umask(022);
	at = cli_parse(&cli, argc, argv, &g, &e);
	if (at < 0) {
		return cli_failure(&cli, at, &e);
	}
	if (at == argc) {
		(void)err_set(&e, -1, "a verb is missing");
		return cli_failure(&cli, -1, &e);
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(argv[at], verbs[i].name) == 0) {
			return verbs[i].run(&g, argc - at, argv + at);
		}
	}
	(void)err_set(&e, -1, "unknown verb '%s'", argv[at]);
	return cli_failure(&cli, -1, &e);
}
