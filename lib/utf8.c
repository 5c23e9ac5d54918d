#include <stdbool.h>
#include <stdint.h>

#include "lib/cleanup.h"
#include "lib/utf8.h"

/* RFC 3629, section 4: the second byte decides what is overlong, a surrogate or out of range. */
static const struct {
	uint8_t first, last; /* lead bytes */
	uint8_t low, high;   /* second byte */
	size_t size;
} forms[] = {
	{0x00, 0x7f, 0, 0, 1},
	{0xc2, 0xdf, 0x80, 0xbf, 2},
	{0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3},
	{0xed, 0xed, 0x80, 0x9f, 3},
	{0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4},
	{0xf1, 0xf3, 0x80, 0xbf, 4},
	{0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool within(char c, uint8_t low, uint8_t high)
{
	return (uint8_t)c >= low && (uint8_t)c <= high;
}

/* Size of the character that s begins with, 0 if there is none. */
static size_t character(struct slice s)
{
	size_t f = 0;

	while (f < ARRAY_LEN(forms) && !within(s.p[0], forms[f].first, forms[f].last)) {
		f++;
	}
	if (f == ARRAY_LEN(forms) || s.n < forms[f].size) {
		return 0;
	}
	for (size_t i = 1; i < forms[f].size; i++) {
		if (!within(s.p[i], i == 1 ? forms[f].low : 0x80, i == 1 ? forms[f].high : 0xbf)) {
			return 0;
		}
	}
	return forms[f].size;
}

size_t utf8_valid(struct slice s)
{
	size_t n = 0;

	while (n < s.n) {
		size_t size = character((struct slice){.p = s.p + n, .n = s.n - n});

		if (size == 0) {
			break;
		}
		n += size;
	}
	return n;
}
