/*
 * Every byte is looked at twice at most: once by memchr() for the line ends, once by the tables.
 * A head is only taken apart when all of it is there, so nothing here keeps state but head_scan.
 */
#include <errno.h>
#include <string.h>

#include "router/head.h"

enum { DIGITS_MAX = 18 }; /* 10^18 < 2^63 */

static bool is_tchar(unsigned char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
		return true;
	}
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_value_char(unsigned char c)
{
	return (c >= 0x20 && c != 0x7f) || c == '\t';
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
	while (s.n && is_space(s.p[0])) {
		s = slice_skip(s, 1);
	}
	while (s.n && is_space(s.p[s.n - 1])) {
		s.n--;
	}
	return s;
}

long head_find_end(struct head_scan *scan, struct slice in)
{
	while (scan->pos < in.n) {
		const char *lf = memchr(in.p + scan->pos, '\n', in.n - scan->pos);
		size_t at;

		if (!lf) {
			scan->pos = in.n;
			return 0;
		}
		at = (size_t)(lf - in.p);
		if (at == 0 || in.p[at - 1] != '\r') {
			return -EBADMSG;
		}
		scan->pos = at + 1;
		if (at == scan->line + 1) {
			return (long)scan->pos;
		}
		scan->line = at + 1;
	}
	return 0;
}

struct slice head_take_line(struct slice *head)
{
	const char *lf = head->n ? memchr(head->p, '\n', head->n) : NULL;
	size_t at = lf ? (size_t)(lf - head->p) : head->n;
	struct slice line = {.p = head->p, .n = at ? at - 1 : 0};

	*head = slice_skip(*head, at + 1);
	return line;
}

bool head_is_token(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_tchar((unsigned char)s.p[i])) {
			return false;
		}
	}
	return s.n > 0;
}

int head_parse_field(struct slice line, struct head_field *ret)
{
	const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
	struct slice name, value;

	if (!colon) {
		return -EBADMSG;
	}
	name = (struct slice){.p = line.p, .n = (size_t)(colon - line.p)};
	/* a leading blank (folding) and one before the colon are no token characters */
	if (name.n > HEAD_NAME_MAX || !head_is_token(name)) {
		return -EBADMSG;
	}
	value = trim(slice_skip(line, name.n + 1));
	for (size_t i = 0; i < value.n; i++) {
		if (!is_value_char((unsigned char)value.p[i])) {
			return -EBADMSG;
		}
	}
	*ret = (struct head_field){.name = name, .value = value};
	return 0;
}

int head_parse_length(struct slice value, uint64_t *ret)
{
	uint64_t v = 0;

	if (value.n == 0 || value.n > DIGITS_MAX) {
		return -EBADMSG;
	}
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9') {
			return -EBADMSG;
		}
		v = v * 10 + (uint64_t)(value.p[i] - '0');
	}
	*ret = v;
	return 0;
}

bool head_has_token(struct slice list, struct slice token)
{
	while (list.n) {
		const char *comma = memchr(list.p, ',', list.n);
		size_t n = comma ? (size_t)(comma - list.p) : list.n;

		if (slice_eq_nocase(trim((struct slice){.p = list.p, .n = n}), token)) {
			return true;
		}
		list = slice_skip(list, n + 1);
	}
	return false;
}
