/*
 * Pages for requests that get no answer from a node. They say which side is at fault and carry a
 * request id, which also stands in the log.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct buf;

/* Appends a whole response that ends the connection; without the body for HEAD. */
void status_write(int status, uint64_t id, bool head_only, struct buf *to);
/* "Bad Gateway" ...; NULL for a status that has no page. */
const char *status_reason(int status);
