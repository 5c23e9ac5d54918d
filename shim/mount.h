/*
 * Mounts by descriptor: a mount is made or cloned detached, gets its attributes, and is attached to a
 * directory or file that is held open. No path is resolved twice, so nobody can swap one in between.
 *
 * Clones are private: what is later mounted on them must not appear where they were cloned from.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct err;

struct mount_tmpfs {
	uint64_t size; /* bytes */
	mode_t mode;   /* of its root directory, owner root */
};

/* A detached, private clone of what fd shows (O_PATH is enough), with the MOUNT_ATTR_* flags of
 * `attr` set and, unless userns_fd is -1, ids mapped by that user namespace. `what` names it in
 * messages. Returns an owned descriptor. */
int mount_clone(int fd, uint64_t attr, int userns_fd, const char *what, struct err *e);
/* A new file system, detached, nosuid and nodev besides `attr`. Return an owned descriptor. */
int mount_new_tmpfs(const struct mount_tmpfs *tmpfs, struct err *e);
/* sysfs of the network namespace of the caller: read-only, noexec. */
int mount_new_sysfs(struct err *e);
/* Adds attributes to a mount, attached or not. */
int mount_restrict(int mnt, uint64_t attr, struct err *e);
/* Puts the detached mount mnt on what target_fd is. */
int mount_attach(int mnt, int target_fd, const char *what, struct err *e);
/* Whether fd is the root of a mount. 0, 1 or -errno. */
int mount_is_root(int fd, struct err *e);
