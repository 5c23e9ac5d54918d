#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "shim/logfile.h"
#include "shim/stdio.h"

enum {
	READ_SIZE = 65536,
	READS_PER_EVENT = 4, /* a container that writes without end must not starve the rest */
	DRAIN_READS = 64,    /* more than a FIFO holds; a descriptor may have been given away */
};

void stdio_timestamp(char *text, size_t size)
{
	struct timespec now;
	struct tm tm;
	char date[32];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(text, size, "%s.%03ldZ", date, now.tv_nsec / 1000000);
}

static void put_line(struct stdio_stream *s, struct slice tail, const char *now, struct buf *out)
{
	buf_put_str(out, now);
	buf_put(out, SLICE(" "));
	buf_put(out, buf_slice(&s->line));
	buf_put(out, tail);
	buf_put(out, SLICE("\n"));
	buf_clear(&s->line);
}

/* Takes lines off `in` into out and keeps the rest for later. Returns how many. */
static uint64_t split(struct stdio_stream *s, struct slice in, struct buf *out)
{
	char now[40];
	uint64_t lines = 0;

	stdio_timestamp(now, sizeof(now));
	while (in.n) {
		size_t room = STDIO_LINE_MAX - s->line.n;
		size_t look = in.n < room ? in.n : room;
		const char *end = memchr(in.p, '\n', look);
		size_t n = end ? (size_t)(end - in.p) : look;
		struct slice part = {.p = in.p, .n = n};

		in = slice_skip(in, end ? n + 1 : n);
		if (end || n == room) {
			put_line(s, part, now, out);
			lines++;
		} else {
			buf_put(&s->line, part);
		}
	}
	return lines;
}

static void log_lines(struct stdio_stream *s, struct slice in)
{
	_cleanup_buf_ struct buf out = {};
	uint64_t lines = split(s, in, &out);

	if (lines == 0) {
		return;
	}
	if (buf_failed(&out)) {
		s->log->dropped += lines;
		return;
	}
	logfile_write(s->log, buf_slice(&out), lines);
}

/* False: nothing more there. */
static bool read_some(struct stdio_stream *s)
{
	char chunk[READ_SIZE];
	ssize_t n = read(s->io.fd, chunk, sizeof(chunk));

	if (n > 0) {
		log_lines(s, (struct slice){.p = chunk, .n = (size_t)n});
	}
	return n > 0;
}

static void on_ready(struct loop_io *io, [[maybe_unused]] uint32_t epoll_events)
{
	struct stdio_stream *s = loop_owner(io, struct stdio_stream, io);

	for (int i = 0; i < READS_PER_EVENT && read_some(s); i++) {
	}
}

static int open_fifo(int dir_fd, const char *name, int flags, struct err *e)
{
	struct stat st;
	_cleanup_close_ int fd = openat(dir_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags);

	if (fd < 0 || fstat(fd, &st) < 0) {
		return err_errno(e, "open '%s'", name);
	}
	if (!S_ISFIFO(st.st_mode)) {
		return err_set(e, -EINVAL, "'%s' is not a FIFO", name);
	}
	return take_fd(&fd);
}

int stdio_open(struct stdio *io, int dir_fd, struct loop *loop, struct logfile *log, struct err *e)
{
	static const char *const names[3] = {"stdin", "stdout", "stderr"};

	*io = (struct stdio){.loop = loop};
	for (int i = 0; i < 3; i++) {
		io->streams[i] = (struct stdio_stream){
			.io = {.fd = -1, .on_ready = on_ready}, .inner_fd = -1, .log = log};
	}
	for (int i = 0; i < 3; i++) {
		struct stdio_stream *s = &io->streams[i];
		int r;

		if (mkfifoat(dir_fd, names[i], 0600) < 0 && errno != EEXIST) {
			return err_errno(e, "make FIFO '%s'", names[i]);
		}
		r = s->inner_fd = open_fifo(dir_fd, names[i], 0, e);
		if (r >= 0) {
			/* a description of its own: O_NONBLOCK must not reach the container */
			r = s->io.fd = open_fifo(dir_fd, names[i], O_NONBLOCK, e);
		}
		if (r >= 0 && i > 0) {
			r = loop_watch(loop, &s->io, EPOLLIN, e);
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

void stdio_drain(struct stdio *io)
{
	for (int i = 1; i < 3; i++) {
		struct stdio_stream *s = &io->streams[i];

		for (int n = 0; n < DRAIN_READS && read_some(s); n++) {
		}
		if (s->line.n) {
			log_lines(s, SLICE("\n"));
		}
	}
}

void stdio_done(struct stdio *io)
{
	for (int i = 0; i < 3 && io->loop; i++) {
		struct stdio_stream *s = &io->streams[i];

		loop_unwatch(io->loop, &s->io);
		close_fd(&s->io.fd);
		close_fd(&s->inner_fd);
		buf_done(&s->line);
	}
}
