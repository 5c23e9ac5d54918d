#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/log.h"

static struct {
	enum log_level level;
	const char *name;
} logging = {.level = LOG_LEVEL_INFO, .name = "fief"};

void log_set_level(enum log_level level)
{
	logging.level = level;
}

void log_set_name(const char *name)
{
	logging.name = name;
}

static void put_line(char *line, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c < 0x20 || c == 0x7f) {
			line[i] = '?';
		}
	}
	line[n] = '\n';
	(void)!write(STDERR_FILENO, line, n + 1); /* one write: lines of processes do not mix */
}

void log_at(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	int saved = errno, head, body;
	char line[1024];
	va_list ap;

	if (level > logging.level) {
		return;
	}
	head = snprintf(line, sizeof(line) - 1, "%s: %s: ", logging.name, names[level]);
	if (head < 0 || (size_t)head >= sizeof(line) - 1) {
		return;
	}
	va_start(ap, fmt);
	body = vsnprintf(line + head, sizeof(line) - 1 - (size_t)head, fmt, ap);
	va_end(ap);
	if (body >= 0) {
		put_line(line, strlen(line));
	}
	errno = saved;
}

int log_failure(const struct err *e)
{
	char line[ERR_MSG_MAX + 64];
	int n = snprintf(line, sizeof(line) - 1, "%s: %s", logging.name, e->msg);

	if (n > 0) {
		put_line(line, strlen(line));
	}
	return 1;
}
