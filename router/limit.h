/*
 * At most so many log lines a second about what peers do, and a count of those left out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { LIMIT_LINES = 10 }; /* a second */

/* Zeroed at the beginning. */
struct limit {
	uint64_t since; /* usec; of the current second */
	uint32_t lines;
	uint32_t left_out;
};

/* True when a line may be written now. The first one of a new second says how many were left out
 * before. */
bool limit_allow(struct limit *l, uint64_t now);
