#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "bundles/ids.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/paths.h"

enum { FILE_MAX = 16 << 20 };

static struct slice take_until(struct slice *s, char mark)
{
	const char *end = s->n ? memchr(s->p, mark, s->n) : NULL;
	struct slice head = {.p = s->p, .n = end ? (size_t)(end - s->p) : s->n};

	*s = slice_skip(*s, head.n + 1);
	return head;
}

static bool number(struct slice s, uint64_t *ret)
{
	uint64_t n = 0;

	if (s.n < 1 || s.n > 12) {
		return false;
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9') {
			return false;
		}
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = n;
	return true;
}

static bool overlap(uint64_t a, uint64_t a_n, uint64_t b, uint64_t b_n)
{
	return a < b + b_n && b < a + a_n;
}

static int check_range(struct slice owner, uint64_t first, uint64_t count, const char *what,
	uint32_t uid, struct err *e)
{
	uint64_t base = ids_base(uid);

	if (overlap(first, count, uid, 1)) {
		return err_set(e, -EEXIST, "%s '%.*s' on this host has id %u of the container",
			what, (int)(owner.n < 64 ? owner.n : 64), owner.p, uid);
	}
	if (overlap(first, count, base, IDS_PER_CONTAINER)) {
		return err_set(e, -EEXIST,
			"%s '%.*s' on this host lies in the container's ids %llu to %llu", what,
			(int)(owner.n < 64 ? owner.n : 64), owner.p, (unsigned long long)base,
			(unsigned long long)base + IDS_PER_CONTAINER - 1);
	}
	return 0;
}

int ids_check_text(
	struct slice text, enum ids_kind kind, const char *what, uint32_t uid, struct err *e)
{
	while (text.n) {
		struct slice line = take_until(&text, '\n');
		struct slice owner = take_until(&line, ':');
		struct slice second = take_until(&line, ':');
		struct slice third = take_until(&line, ':');
		uint64_t first = 0, count = 1;
		bool fits = kind == IDS_RANGES ? number(second, &first) && number(third, &count)
					       : number(third, &first);
		int r = fits ? check_range(owner, first, count, what, uid, e) : 0;

		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int ids_check(const char *etc, uint32_t uid, struct err *e)
{
	static const struct {
		const char *file, *what;
		enum ids_kind kind;
	} sources[] = {
		{"passwd", "user", IDS_OWNERS},
		{"group", "group", IDS_OWNERS},
		{"subuid", "subuid range of", IDS_RANGES},
		{"subgid", "subgid range of", IDS_RANGES},
	};
	_cleanup_close_ int fd = open(etc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		return err_errno(e, "open '%s'", etc);
	}
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		_cleanup_buf_ struct buf text = {.limit = 2 * FILE_MAX};
		int r;

		if (faccessat(fd, sources[i].file, F_OK, 0) < 0 && errno == ENOENT) {
			continue;
		}
		r = files_read(fd, sources[i].file, FILE_MAX, &text, e);
		if (r == 0) {
			r = ids_check_text(
				buf_slice(&text), sources[i].kind, sources[i].what, uid, e);
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}
