/*
 * fief-bundle: makes OCI bundles of container records.
 *
 * Runs as root and trusts the operator who calls it; a record may come from afar and is parsed
 * strictly. Images are hostile: their files are opened as if the image were "/".
 */
#include <stddef.h>
#include <sys/stat.h>

#include "bundles/verbs.h"
#include "lib/cli.h"
#include "lib/log.h"

static const struct cli_option options[] = {
	{"prefix", 0, CLI_STRING, offsetof(struct globals, prefix), "DIR",
		"keep everything below DIR instead of /"},
	{"etc", 0, CLI_STRING, offsetof(struct globals, etc), "DIR",
		"where the host's passwd, group, subuid and subgid are (default: /etc)"},
	{},
};

static const struct cli_verb verbs[] = {
	{"apply", cmd_apply, "RECORD",
		"makes or changes a container's bundle and keeps the record"},
	{"check", cmd_check, "RECORD", "says what is wrong with a record, and changes nothing"},
	{"show", cmd_show, "UID", "prints the record of a container, with all defaults"},
	{"list", cmd_list, "", "names the containers"},
	{"remove", cmd_remove, "UID", "removes bundle and record"},
	{},
};

static const struct cli cli = {
	.usage = "fief-bundle [--prefix DIR] VERB ...",
	.about = "Bundles from container records. Every verb has --help.",
	.options = options,
	.stop_at_operand = true,
	.verbs = verbs,
};

int main(int argc, char **argv)
{
	struct globals g = {};

	log_set_name("fief-bundle");
	(void)umask(022);
	return cli_main(&cli, &g, argc, argv);
}
