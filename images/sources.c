#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/recipe.h"
#include "images/sources.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

enum { FILE_MAX = 1 << 20 };

struct source {
	struct slice types, uris, suites, components, signed_by;
	bool disabled;
};

static struct slice take_line(struct slice *text)
{
	const char *end = memchr(text->p, '\n', text->n);
	struct slice line = {.p = text->p, .n = end ? (size_t)(end - text->p) : text->n};

	*text = slice_skip(*text, line.n + 1);
	return line;
}

static struct slice take_word(struct slice *s)
{
	size_t from = 0, to;
	struct slice word;

	while (from < s->n && strchr(" \t\r", s->p[from])) {
		from++;
	}
	to = from;
	while (to < s->n && !strchr(" \t\r", s->p[to])) {
		to++;
	}
	word = (struct slice){.p = s->p + from, .n = to - from};
	*s = slice_skip(*s, to);
	return word;
}

static struct slice trim(struct slice s)
{
	while (s.n && strchr(" \t\r", s.p[0])) {
		s = slice_skip(s, 1);
	}
	while (s.n && strchr(" \t\r", s.p[s.n - 1])) {
		s.n--;
	}
	return s;
}

static bool has_word(struct slice s, struct slice word)
{
	for (struct slice w = take_word(&s); w.n; w = take_word(&s)) {
		if (slice_eq(w, word)) {
			return true;
		}
	}
	return false;
}

/* SUITE, SUITE-updates or SUITE-security; backports and the like are not for a customer's image. */
static bool suite_fits(struct slice suite, const struct recipe *recipe)
{
	struct slice name = slice_of(recipe->suite);
	struct slice rest = slice_skip(suite, name.n);

	return slice_starts(suite, name) && (rest.n == 0 || slice_eq(rest, SLICE("-updates")) ||
						    slice_eq(rest, SLICE("-security")));
}

static void put_line(struct buf *to, const struct source *s, struct slice uri, struct slice suite)
{
	buf_put_str(to, "deb ");
	if (s->signed_by.n && s->signed_by.p[0] == '/') {
		buf_put_str(to, "[signed-by=");
		buf_put(to, s->signed_by);
		buf_put_str(to, "] ");
	}
	buf_put(to, uri);
	buf_put_str(to, " ");
	buf_put(to, suite);
	buf_put_str(to, " ");
	buf_put(to, s->components);
	buf_put_str(to, "\n");
}

static void put_source(struct buf *to, const struct source *s, const struct recipe *recipe)
{
	struct slice suites = s->suites;

	if (s->disabled || !has_word(s->types, SLICE("deb")) ||
		!has_word(s->components, slice_of(recipe->components))) {
		return;
	}
	for (struct slice suite = take_word(&suites); suite.n; suite = take_word(&suites)) {
		struct slice uris = s->uris;

		if (!suite_fits(suite, recipe)) {
			continue;
		}
		for (struct slice uri = take_word(&uris); uri.n; uri = take_word(&uris)) {
			put_line(to, s, uri, suite);
		}
	}
}

static void set_field(struct source *s, struct slice key, struct slice value)
{
	if (slice_eq_nocase(key, SLICE("Types"))) {
		s->types = value;
	} else if (slice_eq_nocase(key, SLICE("URIs"))) {
		s->uris = value;
	} else if (slice_eq_nocase(key, SLICE("Suites"))) {
		s->suites = value;
	} else if (slice_eq_nocase(key, SLICE("Components"))) {
		s->components = value;
	} else if (slice_eq_nocase(key, SLICE("Signed-By"))) {
		s->signed_by = value;
	} else if (slice_eq_nocase(key, SLICE("Enabled"))) {
		s->disabled = slice_eq_nocase(value, SLICE("no"));
	}
}

void sources_parse_deb822(struct slice text, const struct recipe *recipe, struct buf *to)
{
	struct source s = {};

	while (text.n) {
		struct slice line = take_line(&text);
		const char *colon;

		if (trim(line).n == 0) {
			put_source(to, &s, recipe);
			s = (struct source){};
			continue;
		}
		colon = memchr(line.p, ':', line.n);
		/* comments, and continuation lines: an inline key cannot be handed on */
		if (line.p[0] == '#' || line.p[0] == ' ' || line.p[0] == '\t' || !colon) {
			continue;
		}
		set_field(&s, (struct slice){.p = line.p, .n = (size_t)(colon - line.p)},
			trim(slice_skip(line, (size_t)(colon - line.p) + 1)));
	}
	put_source(to, &s, recipe);
}

/* "[arch=amd64 signed-by=/path]" -> the path */
static struct slice take_options(struct slice *line)
{
	struct slice signed_by = {}, options;
	const char *end;

	*line = trim(*line);
	end = line->n && line->p[0] == '[' ? memchr(line->p, ']', line->n) : NULL;
	if (!end) {
		return signed_by;
	}
	options = (struct slice){.p = line->p + 1, .n = (size_t)(end - line->p) - 1};
	*line = slice_skip(*line, options.n + 2);
	for (struct slice w = take_word(&options); w.n; w = take_word(&options)) {
		if (slice_starts(w, SLICE("signed-by="))) {
			signed_by = slice_skip(w, sizeof("signed-by=") - 1);
		}
	}
	return signed_by;
}

void sources_parse_list(struct slice text, const struct recipe *recipe, struct buf *to)
{
	while (text.n) {
		struct slice line = take_line(&text);
		struct source s = {.types = take_word(&line)};

		if (!slice_eq(s.types, SLICE("deb"))) {
			continue;
		}
		s.signed_by = take_options(&line);
		s.uris = take_word(&line);
		s.suites = take_word(&line);
		s.components = trim(line);
		put_source(to, &s, recipe);
	}
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), t = strlen(tail);

	return n > t && strcmp(s + n - t, tail) == 0;
}

static int read_one(
	int fd, const char *name, const struct recipe *recipe, struct buf *to, struct err *e)
{
	_cleanup_buf_ struct buf text = {};
	int r = files_read(fd, name, FILE_MAX, &text, e);

	if (r < 0) {
		return r;
	}
	if (ends_with(name, ".sources")) {
		sources_parse_deb822(buf_slice(&text), recipe, to);
	} else {
		sources_parse_list(buf_slice(&text), recipe, to);
	}
	return 0;
}

static int read_all(const char *etc, const struct recipe *recipe, struct buf *to, struct err *e)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int aptfd = -1;
	struct dirent **list = NULL;
	int fd, n, r = 0;

	if (asprintf(&path, "%s/apt", etc) < 0) {
		abort();
	}
	aptfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (aptfd < 0) {
		return errno == ENOENT ? 0 : err_errno(e, "open '%s'", path);
	}
	if (faccessat(aptfd, "sources.list", F_OK, 0) == 0) {
		r = read_one(aptfd, "sources.list", recipe, to, e);
	}
	fd = openat(aptfd, "sources.list.d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = fd < 0 ? 0 : scandirat(fd, ".", &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;

		if (r == 0 && (ends_with(name, ".sources") || ends_with(name, ".list"))) {
			r = read_one(fd, name, recipe, to, e);
		}
		free(list[i]);
	}
	free(list);
	close_fd(&fd);
	return r;
}

/* Copies the lines of `from` whose suite is not the security suite. */
static void without_security(struct slice from, const struct recipe *recipe, struct buf *to)
{
	char mark[64];

	(void)snprintf(mark, sizeof(mark), " %s-security ", recipe->suite);
	while (from.n) {
		struct slice line = take_line(&from);

		if (!memmem(line.p, line.n, mark, strlen(mark))) {
			buf_put(to, line);
			buf_put_str(to, "\n");
		}
	}
}

/* Whether a line for the main suite is there; the others alone cannot make a system. */
static bool has_main(struct slice lines, const struct recipe *recipe)
{
	char mark[64];

	(void)snprintf(mark, sizeof(mark), " %s ", recipe->suite);
	return lines.n && memmem(lines.p, lines.n, mark, strlen(mark));
}

static int read_lines(const struct sources_query *q, struct buf *lines, struct err *e)
{
	const struct recipe *recipe = q->recipe;
	int r;

	if (q->mirror) {
		/* it goes into a line of apt's */
		if (!strstr(q->mirror, "://") || strpbrk(q->mirror, " \t\n[]#")) {
			return err_set(
				e, -EINVAL, "'%.200s' is not the URL of a mirror", q->mirror);
		}
		buf_putf(lines, "deb [signed-by=%s] %s %s %s\n", recipe->keyring, q->mirror,
			recipe->suite, recipe->components);
		return 0;
	}
	r = read_all(q->etc, recipe, lines, e);
	if (r == 0 && !has_main(buf_slice(lines), recipe)) {
		return err_set(e, -ENOENT,
			"this machine's apt has no source of '%s': add one, or give --mirror URL",
			recipe->suite);
	}
	return r;
}

int sources_read(const struct sources_query *q, struct buf *to, struct err *e)
{
	_cleanup_buf_ struct buf lines = {};
	int r = read_lines(q, &lines, e);

	if (r < 0) {
		return r;
	}
	if (q->security) {
		buf_put(to, buf_slice(&lines));
	} else {
		without_security(buf_slice(&lines), q->recipe, to);
	}
	return buf_failed(&lines) || buf_failed(to) ? err_set(e, -ENOMEM, "out of memory") : 0;
}
