/*
 * Finding a node for a request and connecting to it. As long as no byte of the request has been
 * sent, a node that fails is marked failed and another one is tried.
 */
#pragma once

struct conn;
struct exchange;

/* Notes what went wrong, and its errno if it has one, for the log line of a refusal. */
void backend_blame(struct exchange *x, const char *why, int error);

/* The exchange has its packet in `up`. Goes on to CONNECT or RELAY, or refuses with 404, 502, 503. */
void backend_start(struct conn *c);
/* The node of the exchange could not be reached: the next one. */
void backend_retry(struct conn *c);
/* Closes the connection to the node and forgets it. */
void backend_close(struct conn *c);
/* The timer of a connection in state CONNECT: a node did not answer in time (504 if it was the
 * last), or busy nodes are tried again. */
void backend_timeout(struct conn *c);
