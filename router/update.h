/*
 * What the parent tells its workers about the table: one change, one packet of a SOCK_SEQPACKET
 * socketpair. Both ends are the same program, so the form is plain memory.
 */
#pragma once

#include <stdint.h>

#include "lib/slice.h"

struct buf;
struct node;
struct table;

enum update_type {
	UPDATE_UP,     /* a node was announced: new, or again */
	UPDATE_DOWN,   /* a node is gone; its key stays known */
	UPDATE_FORGET, /* a key is not known any more */
	UPDATE_READY,  /* the table is all told: begin to serve */
};

enum { UPDATE_MAX = 1024 }; /* bytes of a packet */

/* Appends the packet that says `type` of node, which is in a key. */
void update_write(enum update_type type, const struct node *node, struct buf *to);
void update_write_forget(struct slice key, struct buf *to);
void update_write_ready(struct buf *to);
/* Changes the table. Returns the type that was applied (UPDATE_READY changes nothing), -EBADMSG or
 * -ENOMEM. */
int update_apply(struct table *t, struct slice packet);
