/*
 * The verbs of fief-image, one file each (cmd_<verb>.c). argv[0] is the verb; the result is the exit
 * status: 0, 1 on failure, 2 on wrong usage.
 */
#pragma once

/* What stands before the verb on the command line. */
struct globals {
	const char *prefix; /* NULL: the machine itself */
};

int cmd_build(const void *globals, int argc, char **argv);
int cmd_import(const void *globals, int argc, char **argv);
int cmd_list(const void *globals, int argc, char **argv);
int cmd_show(const void *globals, int argc, char **argv);
int cmd_verify(const void *globals, int argc, char **argv);
int cmd_rm(const void *globals, int argc, char **argv);
