/*
 * The verbs of `fief`. One file each: cmd_<verb>.c, and a line in the table of main.c.
 */
#pragma once

#include <stdbool.h>

struct err;

struct global {
	const char *root;
	const char *log, *log_format;
	bool debug, systemd_cgroup, version;
	const char *rootless, *criu;
	const char *cgroup_manager;
};

/* --cgroup-manager disabled: the container stays in the caller's cgroup. */
bool global_no_cgroup(const struct global *global);

/* A verb returns the exit status, or -errno with e: main() reports that and exits with 1, or with
 * what the verb stored in e when it is command-line misuse. */
typedef int command_fn(const struct global *global, int argc, char **argv, struct err *e);

command_fn cmd_create, cmd_delete, cmd_exec, cmd_features, cmd_kill, cmd_list, cmd_pause, cmd_ps,
	cmd_resume, cmd_run, cmd_spec, cmd_start, cmd_state, cmd_update;

/* Number of a signal written as "TERM", "SIGTERM" or "15"; -EINVAL with e. */
int signal_number(const char *name, struct err *e);

/* Wraps cli_parse(): prints usage errors. Returns the index of the first operand, or a negative value
 * of -1 - status when the verb is over with that exit status. */
struct cli;
int command_line(const struct cli *cli, int argc, char **argv, void *into);
/* The verb is over with the result of command_line(). */
static inline int command_over(int operand)
{
	return -1 - operand;
}
