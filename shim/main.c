/*
 * fief-shim: the keeper of one container.
 *
 * Runs as root. `run` keeps CAP_SYS_ADMIN (mounts, namespaces), CAP_SYS_PTRACE (namespaces of the
 * container's processes), CAP_KILL, CAP_SETUID and CAP_SETGID (file access as the customer),
 * CAP_CHOWN, CAP_NET_ADMIN, and hands what it has to the runtime that it starts. It trusts root, the
 * bundle and the runtime; nothing that comes out of the container, and nothing beneath a home.
 */
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "shim/verbs.h"

static const struct verb {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *help;
} verbs[] = {
	{"prepare", verb_prepare, "mount what a bundle needs, for any runtime"},
	{"release", verb_release, "undo prepare"},
	{"run", verb_run, "run a bundle's container and keep it"},
	{"state", verb_state, "show what a container does"},
	{"exec", verb_exec, "run a command in a container as its customer"},
	{"signal", verb_signal, "signal PID 1 of a container"},
	{"stop", verb_stop, "stop a container in order"},
	{"logs", verb_logs, "print what a container wrote"},
};

static void print_help(FILE *to)
{
	fprintf(to, "usage: fief-shim VERB ...\n\nKeeps one container.\n\nverbs:\n");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].help);
	}
	fprintf(to, "\n'fief-shim VERB --help' tells more.\n");
}

int main(int argc, char **argv)
{
	log_set_name("fief-shim");
	if (argc < 2) {
		print_help(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("fief-shim %s\n", FIEF_VERSION);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(argv[1], verbs[i].name) == 0) {
			return verbs[i].main(argc - 1, argv + 1);
		}
	}
	fprintf(stderr, "fief-shim: unknown verb '%s'\n", argv[1]);
	return 2;
}
