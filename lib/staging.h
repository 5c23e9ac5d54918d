/*
 * Directories that appear whole or not at all.
 *
 * A store is a directory of root's with one entry per thing. A new entry is filled as the hidden
 * directory ".NAME.partial.PID", which is locked (flock) while its maker lives, and is renamed to
 * NAME when it is complete. What a killed maker left is not locked any more: the next
 * staging_begin() of the same store removes it. Names that begin with a dot are never entries.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

struct err;

struct staging {
	int storefd; /* owned */
	int fd;	     /* owned: the hidden directory, mode 0700 until published */
	char hidden[NAME_MAX + 1];
	char name[NAME_MAX + 1];
	bool published;
};

#define STAGING_INIT ((struct staging){.storefd = -1, .fd = -1})

/* Makes the store (0711) when it is missing, sweeps it, and makes the hidden directory. -EEXIST when
 * `name` is there already. */
int staging_begin(const char *store, const char *name, struct staging *ret, struct err *e);
/* fsync and rename. -EEXIST when somebody else published `name` in the meantime. */
int staging_publish(struct staging *s, struct err *e);
/* Removes the hidden directory unless it was published. */
void staging_done(struct staging *s);

/* Removes an entry so that it is gone at once and whole: rename to a hidden name, then delete. The
 * next sweep finishes what a kill interrupts. Waits for the maker of an entry to call staging_done().
 * -ENOENT when there is none. */
int staging_remove(int storefd, const char *name, struct err *e);

#define _cleanup_staging_ __attribute__((cleanup(staging_done)))
