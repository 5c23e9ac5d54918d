/*
 * The digest of an image: SHA-256 over one canonical walk of its tree.
 *
 * For every entry, in the order of the walk (a directory before its content, names of a directory
 * sorted by bytes; the root first, with the empty path), the bytes
 *
 *	<type> <mode> <uid> <gid> <length of path>:<path> <length of content>:<content>\n
 *
 * type is f, d, l, p, s, c or b; mode is four octal digits; numbers are decimal; content is that of
 * a file, the target of a symbolic link, and empty otherwise. Times, links between files, devices'
 * numbers and extended attributes do not count.
 */
#pragma once

#include <stddef.h>

struct err;

enum { DIGEST_TEXT = 72, DIGEST_DEPTH_MAX = 128 };

/* Walks rootfd and writes "sha256:<hex>" to text. Follows no link and leaves no mount.
 * -ELOOP: deeper than DIGEST_DEPTH_MAX. -EBUSY: a file changed meanwhile. */
int digest_tree(int rootfd, char text[static DIGEST_TEXT], struct err *e);
