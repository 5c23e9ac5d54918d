/*
 * Request body to the node, response to the client, both at once. Each direction holds one bounded
 * buffer and reads only when it is empty, so a slow side slows the other and memory stays bounded.
 * The end of a response is the end of its body by its own framing, or of the node's connection; one
 * that is cut short ends the client's connection, so the client can tell.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct conn;

enum { RELAY_BUFFER = 65536 }; /* bytes per direction */

/* The node is connected. */
void relay_begin(struct conn *c);
/* The client's socket has events in state RELAY. May free c. */
void relay_on_client(struct conn *c, uint32_t epoll_events);
/* The node sent nothing for too long. */
void relay_timeout(struct conn *c);
/* Sends what is in `out`. Returns 1 when all is sent, 0 when the client takes no more now, -errno. */
int relay_flush(struct conn *c);
