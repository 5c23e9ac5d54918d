/*
 * fief-bundle: makes OCI bundles of container records.
 *
 * Runs as root and trusts the operator who calls it; a record may come from afar and is parsed
 * strictly. Images are hostile: their files are opened as if the image were "/".
 */
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "bundles/verbs.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/log.h"

static const struct cli_option options[] = {
	{"prefix", 0, CLI_STRING, offsetof(struct globals, prefix), "DIR",
		"keep everything below DIR instead of /"},
	{"etc", 0, CLI_STRING, offsetof(struct globals, etc), "DIR",
		"where the host's passwd, group, subuid and subgid are (default: /etc)"},
	{},
};

static const struct cli cli = {
	.usage = "fief-bundle [--prefix DIR] VERB ...",
	.about = "Bundles from container records. Every verb has --help.\n\n"
		 "  apply RECORD   makes or changes a container's bundle and keeps the record\n"
		 "  check RECORD   says what is wrong with a record, and changes nothing\n"
		 "  show UID       prints the record of a container, with all defaults\n"
		 "  list           names the containers\n"
		 "  remove UID     removes bundle and record",
	.options = options,
	.stop_at_operand = true,
};

static const struct {
	const char *name;
	int (*run)(const struct globals *g, int argc, char **argv);
} verbs[] = {
	{"apply", cmd_apply},
	{"check", cmd_check},
	{"show", cmd_show},
	{"list", cmd_list},
	{"remove", cmd_remove},
};

int main(int argc, char **argv)
{
	struct globals g = {};
	struct err e = {};
	int at;

	log_set_name("fief-bundle");
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
