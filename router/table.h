/*
 * The table of keys and nodes. The parent has one with all that it remembers of announcements; each
 * worker has one with the nodes that live, fed by the parent (update.h), and balances over it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/slice.h"
#include "router/map.h"
#include "router/replay.h"
#include "router/target.h"

/* What the parent knows of a node; workers leave it zeroed. */
struct registration {
	bool alive;
	uint8_t digest; /* index of the digest that fitted last */
	uid_t uid;	/* of the last sender */
	uid_t counted;	/* whose quota the node is counted in */
	pid_t pid;
	uint64_t cores, load;
	uint64_t seen;	   /* usec: last announcement, or when it went */
	int64_t seen_wall; /* seconds since the epoch, for people */
	struct replay_stamps stamps;
	TAILQ_ENTRY(node) age; /* oldest `seen` first */
};

struct node {
	TAILQ_ENTRY(node) link; /* of struct key.nodes */
	struct key *key;	/* NULL once it was removed */
	unsigned refs;		/* the table's, and one per connection under way to it */
	struct target target;	/* path points to address */
	uint8_t modifier1, modifier2;
	uint32_t weight;
	uint32_t turns; /* weighted round robin: left in this round */
	bool failed;	/* could not be reached; until its next announcement */
	struct registration reg;
	char address[]; /* NUL-terminated */
};

TAILQ_HEAD(node_list, node);

struct key {
	struct map_link link;
	struct node_list nodes; /* of struct node.link, oldest first */
	size_t n_nodes;
	char name[]; /* lower case, NUL-terminated */
};

struct table {
	struct map keys; /* of struct key.link */
	size_t n_nodes;
};

void table_done(struct table *t);
/* Frees every key and node. */
void table_clear(struct table *t);

struct key *table_find(const struct table *t, struct slice name);
/* The key, made when it is missing. NULL: out of memory. */
struct key *table_key(struct table *t, struct slice name);
/* Removes a key and its nodes. */
void table_forget(struct table *t, struct key *key);

struct node *table_node(const struct key *key, const char *address);
/* A new node at the end of the key's list, with weight 1. NULL: out of memory. */
struct node *table_add(struct table *t, struct key *key, const char *address);
/* Takes the node out of its key, which may be left without nodes. */
void table_remove(struct table *t, struct node *node);
struct node *node_ref(struct node *node);
struct node *node_unref(struct node *node); /* returns NULL */

/* The key for a Host value: the name without case, then without its port, then the suffixes that
 * begin at each following dot ("a.b.c", ".b.c", ".c"), five look-ups at most. A key without nodes is
 * passed over and only returned when nothing better is found. NULL: unknown. */
struct key *table_lookup(const struct table *t, struct slice host);

/* The next node by weighted round robin, as uWSGI does it: the first in the list that lives and has
 * turns left; when none has, all get weight / lowest weight turns and the last one is taken.
 * NULL when none lives. */
struct node *table_pick(struct key *key);
