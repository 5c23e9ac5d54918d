/*
 * fief-image: makes, checks and removes the distributions that containers run.
 *
 * Runs as root and trusts the operator; archives that it imports are hostile (images/extract.h).
 */
#include <stddef.h>
#include <sys/stat.h>

#include "images/verbs.h"
#include "lib/cli.h"
#include "lib/log.h"

static const struct cli_option options[] = {
	{"prefix", 0, CLI_STRING, offsetof(struct globals, prefix), "DIR",
		"keep everything below DIR instead of /"},
	{},
};

static const struct cli_verb verbs[] = {
	{"build", cmd_build, "RECIPE", "builds an image from a distribution's archive"},
	{"import", cmd_import, "NAME DIR|TARBALL", "makes an image of a tree"},
	{"list", cmd_list, "", "names the images"},
	{"show", cmd_show, "NAME", "prints the manifest of an image"},
	{"verify", cmd_verify, "NAME", "compares an image with its digest"},
	{"rm", cmd_rm, "NAME", "removes an image"},
	{},
};

static const struct cli cli = {
	.usage = "fief-image [--prefix DIR] VERB ...",
	.about = "Distributions for containers. Every verb has --help.",
	.options = options,
	.stop_at_operand = true,
	.verbs = verbs,
};

int main(int argc, char **argv)
{
	struct globals g = {};

	log_set_name("fief-image");
	(void)umask(022);
	return cli_main(&cli, &g, argc, argv);
}
