/*
 * Files by descriptor: bounded reads, atomic writes, and access beneath a directory that somebody
 * else controls. Everything opened here is close-on-exec.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/slice.h"

struct buf;
struct err;

/* Appends the whole file to `to`, or nothing. -EFBIG when it holds more than max bytes, -ENOMEM when
 * it does not fit into `to`. The message names path. */
int files_read(int dirfd, const char *path, size_t max, struct buf *to, struct err *e);

/* Replaces `name` in dirfd: writes a temporary file of the same directory, fsync, rename, fsync of
 * the directory. Readers see the old or the new content, never a part; after a crash too. */
int files_write_atomic(
	int dirfd, const char *name, mode_t mode, struct slice content, struct err *e);

/* The same without fsync, for state that does not outlive the machine (a tmpfs below /run): readers
 * see the old or the new content. */
int files_replace(int dirfd, const char *name, mode_t mode, struct slice content, struct err *e);

/* Writes all of s. */
int files_write_all(int fd, struct slice s);
/* One write(2) to an existing file, as kernel control files want it. The message names path. */
int files_write_control(int dirfd, const char *path, const char *value, struct err *e);

/* Opens path beneath dirfd for use on a tree that a customer can change: openat2(2) with
 * RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS (Linux 5.6). -ELOOP: a symbolic
 * link is in the way, -EXDEV: the path leaves dirfd. Returns an owned descriptor. */
int files_open_beneath(int dirfd, const char *path, int flags, mode_t mode, struct err *e);
/* The same for a path that may hold symbolic links, which are resolved as if dirfd were "/"
 * (RESOLVE_IN_ROOT). */
int files_open_in_root(int dirfd, const char *path, int flags, mode_t mode, struct err *e);

/* Makes the directories of an absolute host path that root alone controls, each new one with mode,
 * whatever the umask. */
int files_mkdir_p(const char *path, mode_t mode, struct err *e);
/* Makes one directory when it is missing and opens it; symbolic links are refused. Returns an
 * owned descriptor. */
int files_mkdir_open(int dirfd, const char *name, mode_t mode, struct err *e);

/* Removes name in dirfd with all below it; follows no link and crosses no mount point. Missing is
 * success. -EBUSY when a mount point is in the way, -EINVAL when name is a path. */
int files_remove_tree(int dirfd, const char *name, struct err *e);
