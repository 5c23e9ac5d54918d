/*
 * A log that is rotated by rename and never holds half a line. Whoever writes is never kept waiting
 * by it: what the disk does not take is counted and said in the log once it takes lines again.
 */
#pragma once

#include <stdint.h>

#include "lib/slice.h"

struct err;

struct logfile {
	int dir_fd;	  /* owned */
	int fd;		  /* owned; -1 after a failure, opened again at the next line */
	const char *name; /* static */
	uint64_t size;
	uint64_t max;			/* bytes at which it is rotated */
	uint32_t keep;			/* rotated files kept: name.1 is the youngest */
	uint64_t dropped, dropped_told; /* lines */
};

/* Takes dir_fd. */
int logfile_open(struct logfile *log, int dir_fd, const char *name, struct err *e);
/* Appends whole lines; `lines` is how many. Rotates before, when the limit is passed. */
void logfile_write(struct logfile *log, struct slice text, uint64_t lines);
void logfile_done(struct logfile *log);
