/*
 * fief-shim: the keeper of one container.
 *
 * Runs as root. `run` keeps CAP_SYS_ADMIN (mounts, namespaces), CAP_SYS_PTRACE (namespaces of the
 * container's processes), CAP_KILL, CAP_SETUID and CAP_SETGID (file access as the customer),
 * CAP_CHOWN, CAP_NET_ADMIN, and hands what it has to the runtime that it starts. It trusts root, the
 * bundle and the runtime; nothing that comes out of the container, and nothing beneath a home.
 */
#include <stddef.h>

#include "lib/cli.h"
#include "lib/log.h"
#include "shim/verbs.h"

static const struct cli_option options[] = {{}};

static const struct cli_verb verbs[] = {
	{"prepare", verb_prepare, "BUNDLE", "mount what a bundle needs, for any runtime"},
	{"release", verb_release, "BUNDLE", "undo prepare"},
	{"run", verb_run, "BUNDLE", "run a bundle's container and keep it"},
	{"state", verb_state, "UID", "show what a container does"},
	{"exec", verb_exec, "UID COMMAND...", "run a command in a container as its customer"},
	{"signal", verb_signal, "UID SIGNAL", "signal PID 1 of a container"},
	{"stop", verb_stop, "UID", "stop a container in order"},
	{"logs", verb_logs, "UID", "print what a container wrote"},
	{},
};

static const struct cli cli = {
	.usage = "fief-shim VERB ...",
	.about = "Keeps one container. Every verb has --help.",
	.options = options,
	.stop_at_operand = true,
	.verbs = verbs,
};

int main(int argc, char **argv)
{
	log_set_name("fief-shim");
	return cli_main(&cli, NULL, argc, argv);
}
