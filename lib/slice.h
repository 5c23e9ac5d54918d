/*
 * A borrowed run of bytes. Wire data lives in slices, never in NUL-terminated strings.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
	const char *p;
	size_t n;
};

#define SLICE(literal) ((struct slice){.p = (literal), .n = sizeof(literal) - 1})

static inline struct slice slice_of(const char *s)
{
	return (struct slice){.p = s, .n = s ? strlen(s) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_eq_nocase(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* The rest of s after its first n bytes; empty when there are fewer. */
static inline struct slice slice_skip(struct slice s, size_t n)
{
	size_t skip = n < s.n ? n : s.n;

	/* no arithmetic on the NULL of an empty slice */
	return skip ? (struct slice){.p = s.p + skip, .n = s.n - skip} : s;
}
