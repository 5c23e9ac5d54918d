/*
 * Protection of the runtime's own binary: a process that enters a container runs from a read-only
 * detached mount of it, so that /proc/PID/exe cannot be opened for writing from inside
 * (CVE-2019-5736). No copy is made and nothing is loaded twice: the program is static.
 */
#pragma once

struct err;

/* Executes this program again from the sealed mount, unless it runs from there already. Returns 0 when
 * it is sealed. Where detached mounts are not to be had, a sealed memory file takes their place. */
int seal_self(char **argv, struct err *e);
/* path_program() for a sealed program, which cannot tell from /proc/self/exe where it lies. Owned. */
char *seal_sibling(const char *name, struct err *e);
