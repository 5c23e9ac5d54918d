/*
 * Unpacks a tar archive, or copies a directory, into a new tree. The content is hostile.
 *
 * libarchive only reads. Everything is written by descriptor beneath the tree without following a
 * symbolic link, so no path of the archive can leave it. Refused by name: absolute paths, "..",
 * paths or hard links through a symbolic link, hard links to anything but a file of the tree,
 * owners beyond 65535, more entries, bytes or levels than the limits. Kept: numeric owner, mode,
 * modification time, symbolic links as they are. Left out: device nodes, FIFOs and sockets (images
 * are mounted nodev, /dev is made by the runtime), extended attributes, ACLs and capabilities (the
 * image is mounted nosuid).
 */
#pragma once

#include <stdint.h>

struct err;

struct extract {
	int rootfd;   /* borrowed, an empty directory */
	int signalfd; /* borrowed; readable: stop */
	uint64_t entries_max;
	uint64_t bytes_max;
	uint64_t entries, bytes; /* so far */
	uint64_t left_out;	 /* device nodes and the like */
};

/* tar, uncompressed or by gzip, bzip2, xz or zstd. `fd` is borrowed. */
int extract_tar(struct extract *x, int fd, struct err *e);
/* A directory with all below it on the same file system. `dirfd` is borrowed; the working directory
 * of the process is changed. */
int extract_dir(struct extract *x, int dirfd, struct err *e);
