/*
 * A client's connection and the exchange that is under way on it.
 *
 *	IDLE ──byte──> HEAD ──head──> CONNECT ──node──> RELAY ──end──> IDLE
 *	  └─timeout─> gone  └─400,408,...─┴─404,502,503,504─┴─> FLUSH ──> LINGER ──> gone
 *
 * IDLE	    waits for the first byte of a request; has no exchange, so it costs little
 * HEAD	    collects a head
 * CONNECT  a TCP connection to a node is on its way, or all nodes are busy for a moment
 * RELAY    request and response run; see relay.h
 * FLUSH    the rest of a response is sent, then the connection ends
 * LINGER   our end is closed; what the client still sends is thrown away for a moment, so that it
 *	    gets to read the answer instead of a reset (RFC 9112, section 9.6)
 *
 * An exchange comes from the worker's pool and keeps its buffers there, so that a request costs no
 * allocation. front.c owns both; backend.c and relay.c work on them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/buf.h"
#include "lib/loop.h"
#include "router/chunked.h"
#include "router/http1.h"
#include "router/response.h"
#include "router/vars.h"

struct node;
struct worker;

enum conn_state { CONN_IDLE, CONN_HEAD, CONN_CONNECT, CONN_RELAY, CONN_FLUSH, CONN_LINGER };

struct exchange {
	STAILQ_ENTRY(exchange) link; /* of the worker's pool */
	struct conn *conn;	     /* borrowed; whose it is */
	struct buf in;		     /* from the client: a head, then what came after it */
	struct head_scan scan;	     /* over in */

	/* facts of the request; its head is gone when they are used */
	char host[HTTP1_HOST_MAX];
	uint8_t host_n;
	uint8_t minor;
	bool head_only; /* HEAD */
	bool keep_alive;
	bool expect_continue;
	bool has_body;
	uint64_t body_left; /* bytes to take from the client */

	/* towards the node */
	struct loop_io back; /* owns its fd; -1: none */
	struct node *node;   /* counted; the one tried last */
	bool local;	     /* a unix socket */
	unsigned attempts;
	unsigned busy_rounds; /* how often all nodes were busy */
	int failure;	      /* the status when no node is left */
	const char *why;      /* what went wrong last, for the log; NULL: nothing */
	int why_error;	      /* errno that belongs to it; 0: none */
	bool up_broken;	      /* the node takes no more of the request */
	struct buf up;
	size_t up_sent;
	bool sent_any; /* a byte of the request went out */

	/* from the node */
	struct buf down; /* head, or chunked body; else empty */
	struct head_scan down_scan;
	bool head_done, finished;
	enum framing source, sink;
	uint64_t down_left; /* FRAMING_LENGTH */
	struct chunked chunked;

	/* towards the client */
	struct buf out;
	size_t out_sent;
	bool client_noisy; /* sends more than we want now: not watched for input */
};

STAILQ_HEAD(exchange_list, exchange);

struct conn {
	struct loop_io io; /* owns its fd */
	struct loop_timer timer;
	TAILQ_ENTRY(conn) link, wait_link;
	struct worker *worker;
	struct exchange *x; /* owned; NULL while idle */
	uint64_t active;    /* usec: last progress of the exchange */
	enum conn_state state;
	struct vars_peer peer;
};

TAILQ_HEAD(conn_list, conn);
