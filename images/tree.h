/*
 * The tree of an image that was built or unpacked just now: completes it with the mount points of
 * the contract, and finds out what it is. The tree may come from a hostile archive: no symbolic
 * link in it is ever followed on the host's behalf, except as if the tree were "/".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

/* Makes the mount points (spec/container-record.md). A link or file at the place of a directory is
 * replaced, one in the way to it is an error. /dev is emptied. The root becomes 0755, owner 0:0. */
int tree_complete(int rootfd, struct err *e);
/* Forgets what a build took over from this machine: names, resolver, logs, caches, machine id. */
int tree_forget_host(int rootfd, struct err *e);
/* "amd64" or "i386" by the ELF header of /bin/sh or the first program found. -ENOEXEC: no program or
 * another machine's. The string is static. */
int tree_architecture(int rootfd, const char **ret, struct err *e);
/* The path of uWSGI inside, NULL when there is none. The string is static. */
const char *tree_uwsgi(int rootfd);
