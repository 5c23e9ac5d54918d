#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "shim/logfile.h"

static int reopen(struct logfile *log)
{
	struct stat st;

	log->fd = openat(log->dir_fd, log->name,
		O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (log->fd < 0 || fstat(log->fd, &st) < 0) {
		close_fd(&log->fd);
		return -errno;
	}
	log->size = (uint64_t)st.st_size;
	return 0;
}

static void numbered(const struct logfile *log, uint32_t n, char *name, size_t size)
{
	(void)snprintf(name, size, n ? "%s.%" PRIu32 : "%s", log->name, n);
}

static void rotate(struct logfile *log)
{
	char from[64], to[64];

	close_fd(&log->fd);
	for (uint32_t n = log->keep; n > 0; n--) {
		numbered(log, n - 1, from, sizeof(from));
		numbered(log, n, to, sizeof(to));
		(void)renameat(log->dir_fd, from, log->dir_fd, to); /* gaps are fine */
	}
	if (log->keep == 0) {
		(void)unlinkat(log->dir_fd, log->name, 0);
	}
	(void)reopen(log);
}

/* All of it or nothing: what was written of a failed attempt is cut off again. */
static bool append(struct logfile *log, struct slice text)
{
	uint64_t before = log->size;

	while (text.n) {
		ssize_t n = write(log->fd, text.p, text.n);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			(void)!ftruncate(log->fd, (off_t)before);
			log->size = before;
			return false;
		}
		log->size += (uint64_t)n;
		text = slice_skip(text, (size_t)n);
	}
	return true;
}

static bool tell_dropped(struct logfile *log)
{
	char line[96];
	int n;

	if (log->dropped == log->dropped_told) {
		return true;
	}
	n = snprintf(line, sizeof(line), "fief-shim: %" PRIu64 " lines were dropped here\n",
		log->dropped - log->dropped_told);
	if (!append(log, (struct slice){.p = line, .n = (size_t)n})) {
		return false;
	}
	log->dropped_told = log->dropped;
	return true;
}

int logfile_open(struct logfile *log, int dir_fd, const char *name, struct err *e)
{
	int r;

	log->dir_fd = dir_fd;
	log->name = name;
	log->fd = -1;
	r = reopen(log);
	return r < 0 ? err_code(e, r, "open log '%s'", name) : 0;
}

void logfile_write(struct logfile *log, struct slice text, uint64_t lines)
{
	if (log->fd >= 0 && log->size && log->size + text.n > log->max) {
		rotate(log);
	}
	if ((log->fd < 0 && reopen(log) < 0) || !tell_dropped(log) || !append(log, text)) {
		log->dropped += lines;
	}
}

void logfile_done(struct logfile *log)
{
	close_fd(&log->fd);
	close_fd(&log->dir_fd);
}
