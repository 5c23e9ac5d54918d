/*
 * Scope-bound release of resources, and the one way to hand a resource over.
 *
 *	_cleanup_close_ int fd = open(...);
 *	...
 *	*ret_fd = take_fd(&fd);
 *
 * Every helper keeps errno, accepts the empty value (NULL, -1) and leaves it behind.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

static inline void cleanup_free_ptr(void *p)
{
	void **at = p;

	free(*at);
	*at = NULL;
}

/* Closes *fd if it is open and marks it closed. */
static inline void close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0) {
		(void)close(*fd);
	}
	*fd = -1;
	errno = saved;
}

static inline void close_dir(DIR **dir)
{
	int saved = errno;

	if (*dir) {
		(void)closedir(*dir);
	}
	*dir = NULL;
	errno = saved;
}

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Evaluates to the pointer and leaves NULL behind. Keeps the type. */
#define take_ptr(p)                                                                                \
	({                                                                                         \
		typeof(p) take_at_ = (p);                                                          \
		typeof(*take_at_) taken_ = *take_at_;                                              \
		*take_at_ = NULL;                                                                  \
		taken_;                                                                            \
	})

#define _cleanup_free_	_cleanup_(cleanup_free_ptr)
#define _cleanup_close_ _cleanup_(close_fd)
#define _cleanup_dir_	_cleanup_(close_dir)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
