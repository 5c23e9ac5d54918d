/*
 * The client's side of a connection: accepting, heads, keep-alive, timeouts, status pages, the end.
 */
#pragma once

#include <stdbool.h>

struct conn;
struct worker;
struct worker_listener;

/* The listening socket is readable. */
void front_accept(struct worker_listener *listener);

/* The exchange is complete on both sides: the next request, or the end of the connection. */
void front_exchange_done(struct conn *c);

/* Answers with a status page and ends the connection. Nothing of a response was sent yet. */
void front_refuse(struct conn *c, int status);

/* Ends the connection at once; frees c. */
void front_close(struct conn *c);

/* Makes a descriptor free: the connection that has been without a whole request for longest goes.
 * Returns false when there is none. */
bool front_close_oldest(struct worker *w);

/* Tells idle connections that the worker drains. */
void front_close_idle(struct worker *w);

/* A pool of a worker that ends. */
void front_free_pool(struct worker *w);
