/*
 * What request heads and response heads have in common (RFC 9112, sections 2 to 6): lines ended by
 * CRLF, field lines, lists of tokens, lengths. Pure and strict: a bare CR or LF, a NUL, a folded
 * line, white space before the colon are errors, never repaired.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/slice.h"

enum { HEAD_FIELDS_MAX = 100, HEAD_NAME_MAX = 255 };

/* Where a search for the end of the head stands; zeroed at its beginning. */
struct head_scan {
	size_t pos;  /* bytes looked at */
	size_t line; /* where the current line begins */
};

struct head_field {
	struct slice name, value;
};

/* Looks for the empty line that ends the head; `in` is the head from its first byte on, longer than
 * or as long as in the call before. Returns the length of the head with the empty line, 0 when it
 * is not all there, -EBADMSG for a line feed without a carriage return before it. */
long head_find_end(struct head_scan *scan, struct slice in);

/* Takes the first line off *head, without its CRLF. The head is complete (head_find_end). */
struct slice head_take_line(struct slice *head);

/* Splits a field line; the value has no white space at its ends. -EBADMSG when it is malformed. */
int head_parse_field(struct slice line, struct head_field *ret);

/* Decimal digits alone, at most 18 of them. -EBADMSG otherwise. */
int head_parse_length(struct slice value, uint64_t *ret);

/* True when the comma-separated list has `token`, letters compared without case. */
bool head_has_token(struct slice list, struct slice token);

/* tchar of RFC 9110, section 5.6.2. */
bool head_is_token(struct slice s);
