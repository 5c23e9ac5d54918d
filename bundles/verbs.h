/*
 * The verbs of fief-bundle (cmd_<verb>.c). argv[0] is the verb; the result is the exit status: 0,
 * 1 on failure, 2 on wrong usage.
 */
#pragma once

/* What stands before the verb on the command line. */
struct globals {
	const char *prefix; /* NULL: the machine itself */
	const char *etc;    /* NULL: /etc */
};

int cmd_apply(const void *globals, int argc, char **argv);
int cmd_check(const void *globals, int argc, char **argv);
int cmd_show(const void *globals, int argc, char **argv);
int cmd_list(const void *globals, int argc, char **argv);
int cmd_remove(const void *globals, int argc, char **argv);
