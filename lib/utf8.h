/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF.
 */
#pragma once

#include <stddef.h>

#include "lib/slice.h"

/* Bytes of s before the first that is not part of a whole, valid character; s.n if all is valid. */
size_t utf8_valid(struct slice s);
